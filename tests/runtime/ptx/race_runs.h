// Kernels for tests of the race detector, run under many schedules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

namespace lathe::tests {

/// A kernel of one parameter, `data`. The body finds: %data, its global address; %thread, %warp and %lane of
/// the thread, %block of the grid and %rank of the cluster; predicates %first (warp 0) and %second (warp 1),
/// %leader (lane 0) and %home (block 0); %mine, the thread's own word of `tile`, 4 KiB of shared memory, and
/// %other, the same word of the neighbouring warp; registers %r0 to %r9, %d0 to %d9, %p0 to %p9.
inline std::string race_kernel(std::string_view body) {
  return fmt::format(R"(.version 9.0
.target sm_90a
.address_size 64
.visible .entry kernel(.param .u64 data)
{{
  .shared .align 16 .b8 tile[4096];
  .reg .b64 %data, %d<10>;
  .reg .b32 %thread, %warp, %lane, %block, %rank, %mine, %other, %r<10>;
  .reg .pred %first, %second, %leader, %home, %p<10>;
  ld.param.u64 %data, [data];
  cvta.to.global.u64 %data, %data;
  mov.u32 %thread, %tid.x;
  shr.u32 %warp, %thread, 5;
  and.b32 %lane, %thread, 31;
  mov.u32 %block, %ctaid.x;
  mov.u32 %rank, %cluster_ctarank;
  setp.eq.u32 %first, %warp, 0;
  setp.eq.u32 %second, %warp, 1;
  setp.eq.u32 %leader, %lane, 0;
  setp.eq.u32 %home, %block, 0;
  mov.u32 %r0, tile;
  shl.b32 %mine, %thread, 2;
  xor.b32 %other, %mine, 128;
  add.u32 %mine, %mine, %r0;
  add.u32 %other, %other, %r0;
{}
  ret;
}}
)",
                     body);
}

struct RaceRun {
  unsigned blocks = 1;
  unsigned cluster = 1;
  unsigned threads = 64;
  unsigned launches = 1;  ///< one after the other, on the same memory
  unsigned workers = 2;
};

/// What the run reports; empty: nothing. `data` are 1024 zeros of 32 bits.
inline std::string race_report(const std::string& kernel, const RaceRun& shape, unsigned seed, bool random) {
  PtxMachine machine;
  machine.facts.block = {shape.threads, 1, 1};
  machine.facts.cluster = {shape.cluster, 1, 1};
  machine.grid = {shape.blocks, 1, 1};
  machine.workers = shape.workers;
  machine.seed = seed;
  machine.random_schedule = random;
  machine.checks.definedness = false;  // or it may find first what a race causes
  const auto parameters = packed_parameters(machine.upload(std::vector<std::uint32_t>(1024)));
  for (unsigned i = 0; i < shape.launches; ++i) {
    const auto done = machine.run(kernel, parameters);
    if (!done) return done.error().message;
  }
  return {};
}

/// Calls function(report) for each schedule: in turn, and several random ones.
template <class Function>
void for_each_schedule(const std::string& kernel, const RaceRun& shape, Function function) {
  constexpr unsigned kSeeds = 8;
  for (unsigned seed = 0; seed <= kSeeds; ++seed) {
    INFO((seed == 0 ? "in turn" : "random, seed " + std::to_string(seed)) << "\n" << kernel);
    function(race_report(kernel, shape, seed, seed != 0));
  }
}

inline void expect_clean(std::string_view body, const RaceRun& shape = {}) {
  for_each_schedule(race_kernel(body), shape, [](const std::string& report) { CHECK(report == ""); });
}

/// "PTX line 31", where the text stands.
inline std::string line_of(const std::string& kernel, std::string_view text) {
  const std::size_t at = kernel.find(text);
  REQUIRE(at != std::string::npos);
  const auto end = kernel.begin() + static_cast<std::ptrdiff_t>(at);
  return fmt::format("PTX line {}", 1 + std::count(kernel.begin(), end, '\n'));
}

/// A race, and the report names the lines of these instructions.
inline void expect_race(std::string_view body, std::initializer_list<std::string_view> instructions,
                        const RaceRun& shape = {}) {
  const std::string kernel = race_kernel(body);
  for_each_schedule(kernel, shape, [&](const std::string& report) {
    INFO("reported: " << report);
    CHECK(report.find("data race") != std::string::npos);
    for (const std::string_view instruction : instructions)
      CHECK(report.find(line_of(kernel, instruction)) != std::string::npos);
  });
}

}  // namespace lathe::tests
