// evaluate: a few PTX instructions, applied to arrays of values, a lane each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

namespace lathe::tests {

/// What std::vector<bool> should have been: a predicate of each lane.
enum class Flag : std::uint32_t { no, yes };

namespace snippet {

template <class T>
std::string_view register_type() {
  if constexpr (std::is_same_v<T, Flag>) return "pred";
  if constexpr (std::is_same_v<T, float>) return "f32";
  if constexpr (std::is_same_v<T, double>) return "f64";
  if constexpr (sizeof(T) == 2) return "b16";
  if constexpr (sizeof(T) == 4) return "b32";
  return "b64";
}

/// Loads input `name` of type T from the array that parameter `i` points to.
template <class T>
std::string load(char name, std::size_t i) {
  const std::string address =
      fmt::format("ld.param.u64 array, [p{}];\nmad.wide.u32 at, index, {}, array;\n", i, sizeof(T));
  if constexpr (std::is_same_v<T, Flag>)
    return address + fmt::format("ld.global.u32 word, [at];\nsetp.ne.u32 {}, word, 0;\n", name);
  return address + fmt::format("ld.global.{} {}, [at];\n", register_type<T>(), name);
}

template <class T>
std::string store(std::size_t i) {
  const std::string address =
      fmt::format("ld.param.u64 array, [p{}];\nmad.wide.u32 at, index, {}, array;\n", i, sizeof(T));
  if constexpr (std::is_same_v<T, Flag>)
    return address + "selp.u32 word, 1, 0, d;\nst.global.u32 [at], word;\n";
  return address + fmt::format("st.global.{} [at], d;\n", register_type<T>());
}

/// Registers for steps in between: p, q; h0 to h7 (16 bits), r0 to r7 (32), l0 to l7 (64), f0 to f7 (f32),
/// g0 to g7 (f64).
constexpr std::string_view kScratch = R"(
  .reg .pred p, q;
  .reg .b16 h<8>;
  .reg .b32 r<8>;
  .reg .b64 l<8>;
  .reg .f32 f<8>;
  .reg .f64 g<8>;
)";

template <class R, class... A>
std::string kernel_text(std::string_view instructions, std::string_view arch) {
  constexpr char kNames[] = {'a', 'b', 'c', 'e'};
  std::string parameters;
  std::string declarations = fmt::format("  .reg .{} d;\n", register_type<R>());
  std::string loads;
  std::size_t i = 0;
  const auto add = [&]<class T>(std::type_identity<T>) {
    parameters += fmt::format("  .param .u64 p{},\n", i);
    declarations += fmt::format("  .reg .{} {};\n", register_type<T>(), kNames[i]);
    loads += load<T>(kNames[i], i);
    ++i;
  };
  (add(std::type_identity<A>{}), ...);
  parameters += fmt::format("  .param .u64 p{},\n  .param .u32 count\n", i);
  return fmt::format(R"(.version 8.7
.target {}
.address_size 64
.visible .entry kernel({})
{{
  .reg .u32 index, block, size, number, word;
  .reg .u64 array, at;
  .reg .pred beyond;
{}{}
  mov.u32 index, %tid.x;
  mov.u32 block, %ctaid.x;
  mov.u32 size, %ntid.x;
  mad.lo.u32 index, block, size, index;
  ld.param.u32 number, [count];
  setp.ge.u32 beyond, index, number;
  @beyond ret;
{}{}
{}  ret;
}}
)",
                     arch, parameters, declarations, kScratch, loads, instructions, store<R>(i));
}

}  // namespace snippet

/// The values that register `d` has after the instructions, for registers a, b, c, e with the values of the
/// arrays, which are equally long. Or the error.
template <class R, class First, class... A>
Result<std::vector<R>> try_evaluate(std::string_view instructions, const std::vector<First>& first,
                                    const std::vector<A>&... arrays) {
  PtxMachine machine;
  constexpr unsigned kThreads = 64;
  machine.facts.block = {kThreads, 1, 1};
  machine.grid.x = (first.size() + kThreads - 1) / kThreads;
  R* result = machine.allocate<R>(first.size());
  const auto parameters = packed_parameters(machine.upload(first), machine.upload(arrays)..., result,
                                            static_cast<std::uint32_t>(first.size()));
  auto done = machine.run(snippet::kernel_text<R, First, A...>(instructions, "sm_100a"), parameters);
  if (!done) return done.error();
  return std::vector<R>(result, result + first.size());
}

template <class R, class... A>
std::vector<R> evaluate(std::string_view instructions, const std::vector<A>&... arrays) {
  INFO(instructions);
  auto result = try_evaluate<R>(instructions, arrays...);
  if (!result) FAIL(result.error().text());
  return *std::move(result);
}

}  // namespace lathe::tests
