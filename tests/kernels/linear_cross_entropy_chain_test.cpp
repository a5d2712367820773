// linear_cross_entropy's modes agree with each other, and more closely than each with double precision; what
// forward_only and merge have stored is what recompute reads.
#include "tests/kernels/linear_cross_entropy_chain.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using Spec = LinearCrossEntropySpec;
using Case = LinearCrossEntropyCase;
using Option = void (*)(Spec&);

constexpr LossReduction kReductions[] = {LossReduction::mean, LossReduction::sum, LossReduction::none};
constexpr UpstreamGradient kUpstreams[] = {UpstreamGradient::one, UpstreamGradient::scalar,
                                           UpstreamGradient::token};

/// One that a target has kernels for, in turn.
DType dtype_of(const Runtime& runtime, std::size_t turn) {
  if (runtime.target().backend != Backend::cpu) return turn % 2 == 0 ? bf16 : f16;
  return turn % 3 == 0 ? bf16 : turn % 3 == 1 ? f16 : f32;
}

/// Gradients in floats, so that what is compared is what modes do, not how it is rounded last.
Case case_of(DType dtype, std::uint32_t seed) {
  Case test{.spec = storing_all(LinearCrossEntropyMode::gradient_in_forward, 40, 205),
            .tokens = 13,
            .ignored = 2,
            .seed = seed};
  test.spec.dtype = dtype;
  test.spec.d_hidden_dtype = f32;
  return test;
}

void check(Runtime& runtime, const Case& test) {
  const std::string wrong = run_modes_in_a_chain(runtime, test);
  CHECK(wrong == "");
}

}  // namespace

TEST_CASE("linear_cross_entropy: recompute after forward_only is gradient_in_forward") {
  on_every_target([](Runtime& runtime) {
    // Every reduction and every upstream.
    for (std::size_t i = 0; i < 3; ++i) {
      Case test = case_of(dtype_of(runtime, i), static_cast<std::uint32_t>(i + 1));
      test.spec.reduction = kReductions[i];
      test.spec.upstream = kUpstreams[i];
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: recompute after forward_only is gradient_in_forward, with each option") {
  constexpr Option kOptions[] = {[](Spec& s) { s.has_bias = true; },
                                 [](Spec& s) { s.has_class_weights = true; },
                                 [](Spec& s) { s.has_label_smoothing = true; },
                                 [](Spec& s) { s.has_z_loss = true; },
                                 [](Spec& s) { s.has_soft_cap = true; },
                                 [](Spec& s) { s.has_temperature = true; },
                                 [](Spec& s) { s.scales_by_probability = true; },
                                 [](Spec& s) { s.accumulate_d_weight = true; },
                                 [](Spec& s) { s.d_hidden_dtype = s.d_weight_dtype = s.dtype; }};
  on_every_target([&](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    for (std::size_t i = 0; i < std::size(kOptions); ++i) {
      Case test = case_of(dtype_of(runtime, i), static_cast<std::uint32_t>(i + 1));
      kOptions[i](test.spec);
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: recompute after forward_only is gradient_in_forward, with two options") {
  constexpr Option kPairs[] = {
      [](Spec& s) { s.has_soft_cap = s.has_label_smoothing = true; },
      [](Spec& s) { s.scales_by_probability = s.has_z_loss = true; },
      [](Spec& s) { s.has_temperature = s.has_soft_cap = true; },
  };
  on_every_target([&](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    for (std::size_t i = 0; i < std::size(kPairs); ++i) {
      Case test = case_of(dtype_of(runtime, i + 1), static_cast<std::uint32_t>(i + 20));
      test.spec.reduction = kReductions[i % 3];
      test.spec.upstream = kUpstreams[(i + 1) % 3];
      kPairs[i](test.spec);
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: recompute after forward_only is gradient_in_forward, one side frozen") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    for (const bool hidden : {true, false}) {
      Case test = case_of(bf16, 1);
      test.spec.reduction = hidden ? LossReduction::mean : LossReduction::sum;
      test.spec.store_d_hidden = hidden;
      test.spec.store_d_weight = !hidden;
      check(runtime, test);
    }
  });
}

TEST_CASE(
    "linear_cross_entropy: forward, merge and recompute of shards are gradient_in_forward of the whole") {
  on_every_target([](Runtime& runtime) {
    Case halves = case_of(bf16, 1);
    halves.spec.vocab_size = 206;
    const std::string wrong = run_shards_in_a_chain(runtime, halves, {103, 103});
    CHECK(wrong == "");
    if (repeats_sm_80(runtime)) return;
    Case thirds = case_of(f16, 2);
    thirds.spec.vocab_size = 210;
    thirds.spec.reduction = LossReduction::none;
    thirds.spec.upstream = UpstreamGradient::token;
    thirds.spec.has_bias = thirds.spec.has_class_weights = thirds.spec.has_label_smoothing = true;
    thirds.spec.has_z_loss = thirds.spec.scales_by_probability = true;
    const std::string of_thirds = run_shards_in_a_chain(runtime, thirds, {70, 70, 70});
    CHECK(of_thirds == "");
  });
}
