// What NVRTC and ptxas make of linear_cross_entropy's kernels: no spills in any, registers for two blocks per
// processor, and how long they take.
#include <cstdint>

#include "tests/codegen/nvrtc_fixture.h"
#include "tests/codegen/spec_compilation.h"
#include "tests/support/catch.h"

using lathe::f16;
using lathe::LinearCrossEntropySpec;
using lathe::tests::SpecCompilation;
using LossMode = lathe::LinearCrossEntropyMode;

namespace {

constexpr LossMode kModes[] = {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute};

LinearCrossEntropySpec spec_of(LossMode mode, std::int64_t hidden) {
  return {.hidden_size = hidden, .vocab_size = 128256, .mode = mode};
}

/// With all that takes registers.
LinearCrossEntropySpec full_spec_of(LossMode mode, std::int64_t hidden) {
  LinearCrossEntropySpec spec = spec_of(mode, hidden);
  spec.has_bias = spec.has_class_weights = spec.has_label_smoothing = true;
  spec.has_z_loss = spec.has_soft_cap = spec.has_temperature = spec.scales_by_probability = true;
  spec.upstream = lathe::UpstreamGradient::token;
  spec.has_entropy_gradient = mode == LossMode::recompute;
  spec.store_losses = spec.store_z_loss = spec.store_lse = spec.store_target_logits = true;
  spec.store_entropy = spec.store_argmax = spec.store_accuracy = true;
  spec.accumulate_d_weight = true;
  return spec;
}

/// Two blocks of 256 threads per processor.
constexpr int kMostRegisters = 128;

}  // namespace

TEST_CASE("linear_cross_entropy spills no registers: any alignment, with all options") {
  const auto nvrtc = lathe::tests::nvrtc_or_skip();
  if (!nvrtc) return;
  const SpecCompilation ampere(*nvrtc, "sm_80"), hopper(*nvrtc, "sm_90a");
  for (const LossMode mode : kModes) {
    INFO("mode " << static_cast<int>(mode));
    for (const std::int64_t hidden : {4096, 4100, 4098, 4097})
      hopper.check_registers(full_spec_of(mode, hidden), kMostRegisters);
    for (const std::int64_t hidden : {4096, 4097})
      ampere.check_registers(full_spec_of(mode, hidden), kMostRegisters);
    LinearCrossEntropySpec half = spec_of(mode, 4096);
    half.dtype = half.d_weight_dtype = f16;
    hopper.check_registers(half, kMostRegisters);
  }
}

TEST_CASE("linear_cross_entropy spills no registers: every other generation") {
  const auto nvrtc = lathe::tests::nvrtc_or_skip();
  if (!nvrtc) return;
  for (const char* arch : {"sm_86", "sm_89", "sm_100", "sm_120"}) {
    const SpecCompilation compilation(*nvrtc, arch);
    for (const LossMode mode : kModes) compilation.check_registers(spec_of(mode, 4096), kMostRegisters);
  }
}

TEST_CASE("linear_cross_entropy compiles in a fraction of a second") {
  const auto nvrtc = lathe::tests::nvrtc_or_skip();
  if (!nvrtc) return;
  // The goal is 0.6 s, and 0.4 s without gradients, on a core of its own; half of that core may be another's.
  const SpecCompilation compilation(*nvrtc, "sm_90a");
  for (const LossMode mode : kModes) {
    const double seconds = compilation.cpu_seconds(spec_of(mode, 4096));
    INFO(seconds << " s");
    CHECK(seconds <= 2 * (mode == LossMode::forward_only ? 0.4 : 0.6));
  }
}
