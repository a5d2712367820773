// Kernels for tests of mbarriers and of what signals them, run under many schedules.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "runtime/ptx/tensor_map.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

namespace lathe::tests {

/// A kernel of a tensor map and two addresses. The body finds: `map`, `other_map`, parameters; %map, the
/// first's generic address; %from and %to, global addresses; `buffer`, 32 KiB of shared memory from offset 0,
/// and `bars`, 32 mbarriers behind it, not initialised; %buffer and %bars, their addresses; %thread, %warp,
/// %lane, %block, %rank; predicates %leader (thread 0), %first (warp 0), %elected (lane 0); registers %p0 to
/// %p15, %h0 to %h7 (16 bits), %r0 to %r31, %l0 to %l15, %f0 to %f7.
inline std::string async_kernel(std::string_view body) {
  return fmt::format(R"(.version 8.7
.target sm_90a
.address_size 64
.visible .entry kernel(.param .align 64 .b8 map[128], .param .align 64 .b8 other_map[128],
  .param .u64 source, .param .u64 result)
{{
  .shared .align 1024 .b8 buffer[32768];
  .shared .align 8 .b8 bars[256];
  .reg .b64 %map, %from, %to, %l<16>;
  .reg .b32 %thread, %warp, %lane, %block, %rank, %buffer, %bars, %r<32>;
  .reg .b16 %h<8>;
  .reg .f32 %f<8>;
  .reg .pred %leader, %first, %elected, %p<16>;
  mov.b64 %map, map;
  cvta.param.u64 %map, %map;
  ld.param.u64 %from, [source];
  ld.param.u64 %to, [result];
  mov.u32 %thread, %tid.x;
  shr.u32 %warp, %thread, 5;
  and.b32 %lane, %thread, 31;
  mov.u32 %block, %ctaid.x;
  mov.u32 %rank, %cluster_ctarank;
  setp.eq.u32 %leader, %thread, 0;
  setp.eq.u32 %first, %warp, 0;
  setp.eq.u32 %elected, %lane, 0;
  mov.u32 %buffer, buffer;
  mov.u32 %bars, bars;
{}
  ret;
}}
)",
                     body);
}
constexpr std::size_t kBarsOffset = 32768;

/// Thread 0 makes mbarriers of these counts at `bars`; then all threads go on.
inline std::string init_bars(const std::vector<unsigned>& counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i)
    text += fmt::format("  @%leader mbarrier.init.shared::cta.b64 [bars+{}], {};\n", i * 8, counts[i]);
  return text + "  @%leader fence.mbarrier_init.release.cluster;\n  bar.sync 0;\n";
}

/// Until the phase of a parity is over. `at`: what stands in the brackets.
inline std::string wait_for(std::string_view at, std::string_view parity) {
  return fmt::format(
      "  {{ .reg .pred done;\nWAIT: mbarrier.try_wait.parity.shared::cta.b64 done, [{}], {};\n  @!done bra "
      "WAIT; "
      "}}\n",
      at, parity);
}

struct AsyncRun {
  unsigned threads = 32;
  unsigned blocks = 1;
  unsigned cluster = 1;
  runtime::ptx::Checks checks{};
  unsigned workers = 1;
  unsigned seeds = 6;  ///< schedules at random, besides the one in turn
};

/// A machine with the source and the result of a run, which are as large.
struct AsyncMachine : PtxMachine {
  AsyncMachine(const AsyncRun& run, unsigned seed_number, std::size_t words) {
    facts.block = {run.threads, 1, 1};
    facts.cluster = {run.cluster, 1, 1};
    grid = {run.blocks, 1, 1};
    checks = run.checks;
    workers = run.workers;
    seed = seed_number;
    random_schedule = seed_number != 0;
    std::vector<std::uint32_t> values(words);
    for (std::size_t i = 0; i < words; ++i) values[i] = static_cast<std::uint32_t>(1000 + i);
    source = upload(values);
    result = upload(std::vector<std::uint32_t>(words));
  }
  /// What is reported; empty: nothing.
  std::string run_with(const std::string& text, const runtime::TensorMap& map = {},
                       const runtime::TensorMap& other = {}) {
    const auto done = PtxMachine::run(text, packed_parameters(map, other, source, result));
    return done ? std::string() : done.error().text();
  }

  std::uint32_t* source = nullptr;  ///< word i is 1000 + i
  std::uint32_t* result = nullptr;  ///< zeros at first
};

constexpr std::size_t kAsyncWords = 16384;

/// Calls check(error, machine) after each of the schedules.
inline void for_each_async_run(std::string_view body, const AsyncRun& run,
                               const std::function<void(const std::string&, AsyncMachine&)>& check) {
  const std::string text = async_kernel(body);
  for (unsigned seed = 0; seed <= run.seeds; ++seed) {
    INFO("seed " << seed << "\n" << text);
    AsyncMachine machine(run, seed, kAsyncWords);
    const std::string error = machine.run_with(text);
    check(error, machine);
  }
}

inline void expect_ok(std::string_view body, const AsyncRun& run = {}) {
  for_each_async_run(body, run, [](const std::string& error, AsyncMachine&) { CHECK(error == ""); });
}

/// Every schedule reports one of the texts.
inline void expect_any_error(std::string_view body, const std::vector<std::string>& texts,
                             const AsyncRun& run = {}) {
  for_each_async_run(body, run, [&](const std::string& error, AsyncMachine&) {
    bool is_said = false;
    for (const std::string& text : texts) is_said = is_said || error.find(text) != std::string::npos;
    INFO("expected: " << texts.front() << "\nreported: " << error);
    CHECK(is_said);
  });
}
inline void expect_error(std::string_view body, const std::string& text, const AsyncRun& run = {}) {
  expect_any_error(body, {text}, run);
}

}  // namespace lathe::tests
