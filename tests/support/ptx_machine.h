// PtxMachine: runs PTX text in the emulator, with memory of its own.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <lathe/error.h>

#include "runtime/ptx/decode.h"
#include "runtime/ptx/global_memory.h"
#include "runtime/ptx/launch.h"
#include "runtime/ptx/parser.h"
#include "tests/support/catch.h"

namespace lathe::tests {

/// Parameters of a kernel, packed as PTX lays them out: each at a multiple of its own size.
template <class... T>
std::vector<std::byte> packed_parameters(const T&... values) {
  std::vector<std::byte> bytes;
  [[maybe_unused]] const auto add = [&](const auto& value) {
    const std::size_t at = (bytes.size() + sizeof value - 1) / sizeof value * sizeof value;
    bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
  };
  (add(values), ...);
  return bytes;
}

/// A kernel with 64-bit parameters, which it has in %l0, %l1 ... when the body begins, the thread's number in
/// %r0, and registers %p<16> (predicates), %h<16> (16 bits), %r<64> (32), %l<32> (64), %f<32> (f32) to use.
/// `before` stands before the kernel, at module scope. The body begins in line kBodyLine if `before` is
/// empty.
inline std::string ptx_kernel(unsigned parameters, std::string_view body, std::string_view before = "") {
  std::string declarations;
  std::string loads;
  for (unsigned i = 0; i < parameters; ++i) {
    declarations += fmt::format("{} .param .u64 p{}", i == 0 ? "" : ",", i);
    loads += fmt::format(" ld.param.u64 %l{}, [p{}];", i, i);
  }
  return fmt::format(
      ".version 8.7\n.target sm_90a\n.address_size 64\n{}.visible .entry kernel({})\n{{\n"
      ".reg .pred %p<16>; .reg .b16 %h<16>; .reg .b32 %r<64>; .reg .b64 %l<32>; .reg .f32 %f<32>;\n"
      "{} mov.u32 %r0, %tid.x;\n{}\nret;\n}}\n",
      before, declarations, loads, body);
}
constexpr int kBodyLine = 8;

struct PtxMachine {
  runtime::ptx::GlobalMemory memory;
  runtime::ptx::Checks checks;
  codegen::LaunchFacts facts;  ///< block, cluster, dynamic shared memory
  codegen::Grid grid{1, 1, 1};
  std::uint64_t seed = 0;
  bool random_schedule = false;
  unsigned workers = 1;

  /// Undefined, unless values are given.
  template <class T>
  T* allocate(std::size_t count) {
    return reinterpret_cast<T*>(memory.allocate(count * sizeof(T)));
  }
  template <class T>
  T* upload(const std::vector<T>& values) {
    T* device = allocate<T>(values.size());
    std::memcpy(device, values.data(), values.size() * sizeof(T));
    memory.define(device, values.size() * sizeof(T));
    return device;
  }

  /// Runs a kernel of `threads` threads that is to succeed.
  template <class... T>
  void run_ok(unsigned threads, const std::string& text, const T&... parameters) {
    facts.block = {threads, 1, 1};
    const auto done = run(text, packed_parameters(parameters...));
    if (!done) FAIL(done.error().text());
  }
  /// What is wrong with a kernel that is to fail.
  template <class... T>
  std::string run_fault(unsigned threads, const std::string& text, const T&... parameters) {
    facts.block = {threads, 1, 1};
    const auto done = run(text, packed_parameters(parameters...));
    return done ? "no fault" : done.error().message;
  }

  /// Errors of the parser, of decoding, or what the checks found.
  Result<void> run(const std::string& text, std::span<const std::byte> parameters,
                   const std::string& entry = "kernel") {
    auto module = runtime::ptx::parse(text);
    if (!module) return module.error();
    auto program = runtime::ptx::decode(*module, entry);
    if (!program) return program.error();
    for (const auto& variable : program->variables)
      memory.add(variable.address, variable.bytes, variable.name, variable.is_constant);
    runtime::ptx::FaultLog faults;
    runtime::ptx::run({.program = &*program,
                       .parameters = parameters,
                       .grid = grid,
                       .facts = facts,
                       .memory = &memory,
                       .faults = &faults,
                       .checks = checks,
                       .seed = seed,
                       .random_schedule = random_schedule,
                       .workers = workers,
                       .processors = 4});
    for (const auto& variable : program->variables) memory.remove(variable.address);
    if (!faults.empty()) return faults.error(entry);
    return {};
  }
};

}  // namespace lathe::tests
