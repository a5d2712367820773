// What linear_cross_entropy's GPU kernels do to memory: operands of products are read once per tile of rows
// and tile of columns, in whole sectors, and nothing meets in a bank of shared memory.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/support/catch.h"
#include "tests/support/launch_profile.h"

using namespace lathe;
using namespace lathe::tests;
using LossMode = LinearCrossEntropyMode;

namespace {

constexpr std::uint64_t kTile = 128;

/// Of a step, in the first of a case's two launches.
LaunchProfile profile_of(const std::vector<LaunchProfile>& profiles, const std::string& step) {
  for (const LaunchProfile& profile : profiles) {
    if (profile.kernel == "lathe_linear_cross_entropy_" + step) return profile;
  }
  FAIL("nothing was launched for " << step);
  return {};
}

std::optional<std::vector<LaunchProfile>> profiles_of_case(const std::string& arch,
                                                           const LinearCrossEntropyCase& test) {
  return profiles_of(arch, [&](Runtime& runtime) -> Result<void> {
    const std::string wrong = run_linear_cross_entropy(runtime, test);
    CHECK(wrong == "");
    return {};
  });
}

/// A product of rows x columns with so much depth, all whole tiles of 16-bit elements; `besides` are bytes
/// that it may read for its rows and columns.
void check_product(const LaunchProfile& profile, std::uint64_t rows, std::uint64_t columns,
                   std::uint64_t depth, std::uint64_t besides) {
  const std::uint64_t tiles = rows / kTile * (columns / kTile);
  const std::uint64_t operands = tiles * 2 * kTile * depth * 2;
  INFO(profile.kernel << ": " << profile.global.read_bytes << " bytes read, of operands " << operands << "; "
                      << profile.global.sectors << " sectors of " << profile.global.ideal_sectors << "; "
                      << profile.shared.wavefronts << " wavefronts of " << profile.shared.ideal_wavefronts);
  CHECK(profile.global.read_bytes >= operands);
  CHECK(profile.global.read_bytes <= operands + besides);
  CHECK(100 * profile.global.sectors <= 103 * profile.global.ideal_sectors);
  CHECK(profile.global.written_bytes == profile.global.distinct_written_bytes);
  // Rows' maxima and targets come a float at a time.
  CHECK(100 * profile.shared.wavefronts <= 101 * profile.shared.ideal_wavefronts);
}

LinearCrossEntropyCase case_of(LossMode mode, DType dtype) {
  LinearCrossEntropyCase test{.spec = {.hidden_size = 256, .vocab_size = 384, .dtype = dtype, .mode = mode},
                              .tokens = 256,
                              .ignored = 0};
  return test;
}

}  // namespace

TEST_CASE("linear_cross_entropy: products read operands once per tile, whole sectors, no bank conflicts") {
  for (const std::string arch : {"sm_80", "sm_90a"}) {
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      const auto profiles = profiles_of_case(arch, case_of(mode, arch == "sm_80" ? f16 : bf16));
      if (!profiles) return;
      // Besides, per tile: where rows of hidden lie and which their targets are; where those of d_hidden go,
      // by every lane of a warp.
      const std::uint64_t tiles = 2 * 3;
      check_product(profile_of(*profiles, "logits"), 256, 384, 256, tiles * 256 * 40);
      check_product(profile_of(*profiles, "d_hidden"), 256, 256, 384, 2 * 2 * 128 * 160);
      check_product(profile_of(*profiles, "d_weight"), 384, 256, 256, tiles * 256 * 88);
    }
  }
}

TEST_CASE("linear_cross_entropy: logits that are not stored cost no traffic but that of their operands") {
  for (const std::string arch : {"sm_80", "sm_90a"}) {
    const auto profiles = profiles_of_case(arch, case_of(LossMode::forward_only, bf16));
    if (!profiles) return;
    const LaunchProfile logits = profile_of(*profiles, "logits");
    check_product(logits, 256, 384, 256, 2 * 3 * 256 * 40);
    // Maxima and sums per row and part, and the targets' logits.
    CHECK(logits.global.written_bytes <= 256 * (3 * 2 + 1) * 4);
  }
}

TEST_CASE("linear_cross_entropy: the slab is read and written once on its way to gradients") {
  const auto profiles = profiles_of_case("sm_90a", case_of(LossMode::gradient_in_forward, bf16));
  if (!profiles) return;
  const LaunchProfile gradient = profile_of(*profiles, "gradient");
  const std::uint64_t slab = 256 * 384 * 2;
  CHECK(gradient.global.written_bytes == slab);
  CHECK(gradient.global.distinct_written_bytes == slab);
  CHECK(gradient.global.distinct_read_bytes <= slab + 256 * 4 * (3 + 8) + 256 * 8 + 256);
}

TEST_CASE("linear_cross_entropy: tokens that are ignored have no part in products") {
  LinearCrossEntropyCase test = case_of(LossMode::gradient_in_forward, bf16);
  test.ignored = 128;  // every second
  const auto profiles = profiles_of_case("sm_90a", test);
  if (!profiles) return;
  check_product(profile_of(*profiles, "logits"), 128, 384, 256, 3 * 256 * 40);
  check_product(profile_of(*profiles, "d_hidden"), 128, 256, 384, 2 * 2 * 128 * 160);
  check_product(profile_of(*profiles, "d_weight"), 384, 256, 128, 2 * 3 * 256 * 88);
}
