// linear_cross_entropy's gradient through the entropy, on every device at hand, against double precision.
// Each case is launched twice and must give the same bits; entropies' upstreams of tokens that do not count
// are NaN.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/kernels/linear_cross_entropy_check.h"
#include "tests/kernels/linear_cross_entropy_launch.h"
#include "tests/kernels/linear_cross_entropy_problem.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using LossMode = LinearCrossEntropyMode;
using Case = LinearCrossEntropyCase;
using Option = void (*)(LinearCrossEntropySpec&);

constexpr Option kOptions[] = {[](LinearCrossEntropySpec& s) { s.has_soft_cap = true; },
                               [](LinearCrossEntropySpec& s) { s.has_class_weights = true; },
                               [](LinearCrossEntropySpec& s) { s.has_label_smoothing = true; },
                               [](LinearCrossEntropySpec& s) { s.has_z_loss = true; },
                               [](LinearCrossEntropySpec& s) { s.has_temperature = true; },
                               [](LinearCrossEntropySpec& s) { s.scales_by_probability = true; },
                               [](LinearCrossEntropySpec& s) { s.upstream = UpstreamGradient::token; },
                               [](LinearCrossEntropySpec& s) { s.has_bias = true; }};
constexpr LossReduction kReductions[] = {LossReduction::mean, LossReduction::sum, LossReduction::none};

LinearCrossEntropySpec spec_of(std::int64_t hidden, std::int64_t vocab, DType dtype = bf16) {
  return {.hidden_size = hidden,
          .vocab_size = vocab,
          .dtype = dtype,
          .mode = LossMode::recompute,
          .has_entropy_gradient = true};
}

void check(Runtime& runtime, const Case& test) {
  const std::string wrong = run_linear_cross_entropy(runtime, test);
  CHECK(wrong == "");
}

}  // namespace

TEST_CASE("linear_cross_entropy, entropy gradient: every dtype and reduction") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 0;
    for (const DType dtype : dtypes_of(runtime)) {
      Case test{.spec = spec_of(72, 211, dtype), .tokens = 19, .ignored = 4, .bad = 2, .seed = seed + 1};
      test.spec.reduction = kReductions[seed % 3];
      check(runtime, test);
      ++seed;
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: with each option, to the precision of f32") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;
    std::uint32_t seed = 1;
    for (const Option option : kOptions) {
      Case test{.spec = spec_of(40, 131, f32), .tokens = 9, .ignored = 2, .seed = seed++};
      option(test.spec);
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: with each pair of options") {
  // Two quarters of the options at a time: each two of them are together in one of the six.
  constexpr std::size_t kQuarter = std::size(kOptions) / 4;
  on_every_target([](Runtime& runtime) {
    const bool on_cpu = runtime.target().backend == Backend::cpu;
    std::uint32_t seed = 1;
    for (std::size_t a = 0; a < 4; ++a) {
      for (std::size_t b = a + 1; b < 4; ++b) {
        ++seed;
        if (on_cpu && seed % 2 != 0) continue;  // it has had them one by one
        if (repeats_sm_80(runtime) && seed % 3 != 0) continue;
        Case test{.spec = spec_of(24, 37, dtypes_of(runtime)[seed / 2 % 2]), .tokens = 6, .seed = seed};
        test.spec.reduction = kReductions[seed % 3];
        for (std::size_t i = 0; i < kQuarter; ++i) {
          kOptions[a * kQuarter + i](test.spec);
          kOptions[b * kQuarter + i](test.spec);
        }
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: chunks of tokens and of classes") {
  on_every_target([](Runtime& runtime) {
    for (const bool adds : {false, true}) {
      if (runtime.target().backend != Backend::cpu && !adds) continue;
      Case test{.spec = spec_of(24, 300), .tokens = 300, .ignored = 50, .bad = 3};
      test.spec.has_bias = true;
      test.spec.accumulate_d_weight = adds;
      if (adds) test.spec.d_weight_dtype = bf16;
      // Asked for too little, it says what the smallest chunk takes.
      test.budget = 1;
      const std::string refused = run_linear_cross_entropy(runtime, test);
      const std::size_t at = refused.find("the smallest chunk takes ");
      REQUIRE(at != std::string::npos);
      test.budget = std::stoll(refused.substr(at + 25));
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: a vocabulary in shards") {
  on_every_target([](Runtime& runtime) {
    const bool on_cpu = runtime.target().backend == Backend::cpu;
    Case test{.spec = spec_of(40, 210), .tokens = 13, .ignored = 2};
    test.spec.store_lse = test.spec.store_entropy = true;
    test.spec.has_bias = test.spec.has_label_smoothing = !on_cpu;
    test.spec.has_class_weights = test.spec.scales_by_probability = on_cpu;
    test.spec.upstream = on_cpu ? UpstreamGradient::token : UpstreamGradient::scalar;
    const std::string wrong = run_vocabulary_shards(
        runtime, test, on_cpu ? std::vector<Index>{150, 60} : std::vector<Index>{105, 105});
    CHECK(wrong == "");
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: masked classes, and tokens that do not count") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f16, f32}) {
      if (dtype == f32 && runtime.target().backend != Backend::cpu) continue;
      Case masked{.spec = spec_of(32, 60, dtype), .tokens = 6, .masked_classes = 40};
      masked.spec.has_bias = true;  // of minus infinity
      masked.spec.upstream = UpstreamGradient::token;
      check(runtime, masked);
      Case certain = masked;
      certain.masked_classes = 59;
      certain.ignored = 0;
      check(runtime, certain);
      Case uncounted{.spec = masked.spec, .tokens = 12, .ignored = 12};
      check(runtime, uncounted);
      uncounted.ignored = 0;
      uncounted.ignore_index = 7;  // a class that may be a target
      uncounted.bad = 3;
      check(runtime, uncounted);
      check(runtime, {.spec = masked.spec, .tokens = 0});
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: from all but certain to uniform") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f16, f32}) {
      if (dtype == f32 && runtime.target().backend != Backend::cpu) continue;
      Case test{.spec = spec_of(64, 60, dtype), .tokens = 10, .confident = true};
      check(runtime, test);
      test.confident = false;
      test.spread = 20;  // logarithms down to some -100
      check(runtime, test);
      test.spread = 0;
      check(runtime, test);
    }
    if (!repeats_sm_80(runtime)) check(runtime, {.spec = spec_of(8, 1), .tokens = 3});
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: one gradient only, and rows apart") {
  on_every_target([](Runtime& runtime) {
    for (const bool hidden : {true, false}) {
      if (repeats_sm_80(runtime) && hidden) continue;
      Case test{.spec = spec_of(43, 140, f16), .tokens = 11, .padding = 3, .offset_elements = 1};
      test.spec.has_bias = true;
      test.spec.store_d_hidden = hidden;
      test.spec.store_d_weight = !hidden;
      test.spec.alignment = 2;
      check(runtime, test);
    }
  });
}

namespace {

/// Losses, and then gradients from what they left on the device. Empty, or the first thing that is wrong.
std::string run_forward_and_backward(Runtime& runtime, const Case& test) {
  const LinearCrossEntropyProblem problem(test);
  LinearCrossEntropySpec spec = test.spec;
  spec.mode = LossMode::forward_only;
  spec.has_entropy_gradient = false;
  spec.store_lse = spec.store_entropy = true;
  const auto forward = runtime.get(spec).value();
  const auto& forward_spec = std::get<LinearCrossEntropySpec>(forward.spec());
  LinearCrossEntropyLaunch losses(runtime, test, forward_spec);
  losses.add_matrices(problem, 0, spec.vocab_size);
  losses.add_vectors(problem);
  losses.add_losses();
  std::string wrong = losses.run(forward);
  if (wrong.empty()) wrong = check_losses({test, forward_spec, problem}, losses.losses());
  if (!wrong.empty()) return wrong;

  const auto backward = runtime.get(test.spec).value();
  const auto& backward_spec = std::get<LinearCrossEntropySpec>(backward.spec());
  LinearCrossEntropyLaunch gradients(runtime, test, backward_spec);
  gradients.add_matrices(problem, 0, spec.vocab_size);
  gradients.add_vectors(problem);
  gradients.input(gradients.args().lse_in, "lse_in", *losses.result("lse"));
  gradients.input(gradients.args().entropy_in, "entropy_in", *losses.result("entropy"));
  gradients.add_gradients(spec.vocab_size);
  wrong = gradients.run(backward);
  const Checked checked{test, backward_spec, problem};
  if (wrong.empty()) wrong = check_d_hidden(checked, gradients.d_hidden());
  if (wrong.empty()) wrong = check_d_weight(checked, gradients.d_weight(spec.vocab_size), 0);
  if (wrong.empty()) wrong = check_d_bias(checked, gradients.d_bias(spec.vocab_size), 0);
  return wrong;
}

}  // namespace

TEST_CASE("linear_cross_entropy, entropy gradient: from what a forward has stored") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f16, f32}) {
      if (dtype == f32 && runtime.target().backend != Backend::cpu) continue;
      Case test{.spec = spec_of(48, 157, dtype), .tokens = 21, .ignored = 4, .bad = 1};
      test.spec.has_bias = test.spec.has_soft_cap = test.spec.has_temperature = true;
      CHECK(run_forward_and_backward(runtime, test) == "");
    }
  });
}
