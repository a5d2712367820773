// Kernels of one small wgmma, for tests of what it needs of a kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/wgmma_kernel.h"
#include "tests/support/catch.h"

namespace lathe::tests::wgmma {

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// 64 x 16 ones of bf16, then 8 x 16 ones: each element of D is 16.
inline constexpr unsigned kBytesOfA = 2048;
inline constexpr unsigned kBytes = 4096;
inline constexpr std::string_view kDescriptors = R"(
  add.u64 l0, base_a, 0x800400000;
  add.u64 l1, base_b, 0x800080000;
)";

inline constexpr std::string_view kFence = "  wgmma.fence.sync.aligned;\n";
inline constexpr std::string_view kProduct =
    "  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {d0, d1, d2, d3}, l0, l1, p, 1, 1, 0, 0;\n";
inline constexpr std::string_view kFromRegisters =
    "  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {d0, d1, d2, d3}, {a0, a1, a2, a3}, l1, p, 1, 1, "
    "0;\n";
inline constexpr std::string_view kCommit = "  wgmma.commit_group.sync.aligned;\n";
inline constexpr std::string_view kBarrier = "  bar.sync 0;\n";

inline std::string wait(unsigned kept) {
  return fmt::format("  wgmma.wait_group.sync.aligned {};\n", kept);
}

struct Run {
  std::string error = "no fault";
  std::vector<float> d;
};

struct Setting {
  unsigned threads = kThreads;
  lathe::runtime::ptx::Checks checks{};
  bool is_random = false;
};

/// D is 0 at first; A in registers is all ones too.
inline Run run(std::string_view body, const Setting& setting = {}, std::string_view target = "sm_90a") {
  PtxMachine machine;
  machine.checks = setting.checks;
  machine.random_schedule = setting.is_random;
  machine.facts.block = {setting.threads, 1, 1};
  const std::vector<std::uint16_t> ones(kBytes / 2, 0x3f80);
  std::vector<std::uint32_t> registers(4 * kThreads, 0);
  registers.resize(8 * kThreads + setting.threads, 0x3f803f80);
  const auto* image = machine.upload(ones);
  const auto* from = machine.upload(registers);
  const auto* to = machine.upload(std::vector<float>(4 * kThreads + setting.threads));
  std::string text = kernel_text(std::string(kDescriptors) + std::string(body), 4, 4, kBytesOfA, kBytes);
  text.replace(text.find("sm_90a"), 6, target);
  const auto done = machine.run(text, packed_parameters(image, from, to));
  Run result;
  if (!done) result.error = done.error().text();
  result.d.assign(to, to + 4 * kThreads);
  return result;
}

template <class... Part>
std::string error_of(const Part&... parts) {
  return run((std::string(parts) + ...)).error;
}

/// The products of the body, added to D without mistake.
template <class... Part>
void check_sum(float wanted, const Part&... parts) {
  const Run done = run((std::string(parts) + ...));
  CHECK(done.error == "no fault");
  CHECK(done.d == std::vector<float>(4 * kThreads, wanted));
}

}  // namespace lathe::tests::wgmma
