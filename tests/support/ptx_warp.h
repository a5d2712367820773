// Runs a few PTX instructions on the registers of one warp, for instructions whose lanes work together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

namespace lathe::tests {

constexpr unsigned kWarpLanes = 32;

/// The text of a kernel of one warp. Registers: `lane`; inputs a0, a1 ..., outputs d0, d1 ..., all of `bits`;
/// for steps in between p, q (predicates), r0 to r15 (32 bits), l0 to l7 (64). Shared: `tile`, of 4096 bytes.
inline std::string warp_kernel_text(std::string_view body, unsigned bits, unsigned inputs, unsigned outputs) {
  std::string loads;
  std::string stores;
  const unsigned stride = kWarpLanes * bits / 8;
  for (unsigned i = 0; i < inputs; ++i)
    loads += fmt::format("  ld.global.b{} a{}, [from+{}];\n", bits, i, i * stride);
  for (unsigned i = 0; i < outputs; ++i)
    stores += fmt::format("  st.global.b{} [to+{}], d{};\n", bits, i * stride, i);
  return fmt::format(R"(.version 8.7
.target sm_90a
.address_size 64
.visible .entry kernel(.param .u64 input, .param .u64 output)
{{
  .reg .b32 lane, r<16>;
  .reg .b64 from, to, l<8>;
  .reg .pred p, q;
  .reg .b{0} a<{1}>, d<{2}>;
  .shared .align 128 .b8 tile[4096];
  mov.u32 lane, %tid.x;
  ld.param.u64 from, [input];
  mad.wide.u32 from, lane, {3}, from;
  ld.param.u64 to, [output];
  mad.wide.u32 to, lane, {3}, to;
{4}{5}
{6}  ret;
}}
)",
                     bits, inputs + 1, outputs + 1, bits / 8, loads, body, stores);
}

/// Register i of lane l is element 32 i + l, of inputs and of the result. R: 32 or 64 bits.
template <class R>
Result<std::vector<R>> try_on_warp(std::string_view body, const std::vector<R>& inputs, unsigned outputs,
                                   unsigned lanes = kWarpLanes) {
  PtxMachine machine;
  machine.facts.block = {lanes, 1, 1};
  // With room for what a body without outputs stores.
  const std::vector<R> results(std::size_t{std::max(outputs, 1U)} * kWarpLanes);
  const R* from = machine.upload(inputs);
  R* to = machine.upload(results);
  const auto registers = static_cast<unsigned>(inputs.size() / kWarpLanes);
  const auto done =
      machine.run(warp_kernel_text(body, 8 * sizeof(R), registers, outputs), packed_parameters(from, to));
  if (!done) return done.error();
  return std::vector<R>(to, to + std::size_t{outputs} * kWarpLanes);
}

template <class R>
std::vector<R> on_warp(std::string_view body, const std::vector<R>& inputs, unsigned outputs) {
  INFO(body);
  auto result = try_on_warp(body, inputs, outputs);
  if (!result) FAIL(result.error().text());
  return *std::move(result);
}

/// What is wrong with a kernel that has no results; empty: nothing.
inline std::string warp_error(std::string_view body, unsigned lanes = kWarpLanes) {
  const auto result = try_on_warp(body, std::vector<std::uint32_t>(kWarpLanes), 0, lanes);
  return result ? std::string() : result.error().text();
}

}  // namespace lathe::tests
