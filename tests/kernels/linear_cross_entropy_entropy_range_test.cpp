// The unit of linear_cross_entropy's gradients where the entropy has one: upstreams, class weights, z-loss
// and temperatures of any magnitude, on every device at hand, against double precision.
#include <cstdint>
#include <string>

#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using Case = LinearCrossEntropyCase;

LinearCrossEntropySpec spec_of(std::int64_t hidden, std::int64_t vocab, DType dtype) {
  return {.hidden_size = hidden,
          .vocab_size = vocab,
          .dtype = dtype,
          .mode = LinearCrossEntropyMode::recompute,
          .has_entropy_gradient = true};
}

void check(Runtime& runtime, const Case& test) {
  const std::string wrong = run_linear_cross_entropy(runtime, test);
  CHECK(wrong == "");
}

}  // namespace

TEST_CASE("linear_cross_entropy, entropy gradient: upstreams of any magnitude, of losses and of entropies") {
  struct Magnitudes {
    UpstreamGradient upstream;
    float of_losses, of_entropies;
  };
  using enum UpstreamGradient;
  constexpr Magnitudes kAll[] = {{one, 1, 1e4f},         {one, 1, 1e-6f},       {scalar, 0, 1e-6f},
                                 {scalar, 0, 1e4f},      {scalar, 0, 0},        {scalar, 1e-8f, 1e-8f},
                                 {scalar, 1e-8f, 1e-4f}, {scalar, 262144, 1},   {scalar, 262144, 1e5f},
                                 {token, 262144, 1e5f},  {token, 1e-7f, 1e-9f}, {token, 0, 1e-9f}};
  on_every_target([&](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const Magnitudes& each : kAll) {
      ++seed;
      if (repeats_sm_80(runtime) && each.upstream != scalar) continue;
      // f16 has the least range.
      Case test{.spec = spec_of(40, 150, f16),
                .tokens = 8,
                .upstream_scale = each.of_losses,
                .entropy_scale = each.of_entropies,
                .seed = seed};
      test.spec.upstream = each.upstream;
      test.spec.d_hidden_dtype = f32;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: small losses' digits beside one token's entropy") {
  on_every_target([](Runtime& runtime) {
    // In units as large as the entropy's upstream, losses' gradients would be below f16's smallest number.
    Case test{.spec = spec_of(16, 8, f16), .tokens = 9, .upstream_scale = 6e-8f, .one_entropy = true};
    test.spec.upstream = UpstreamGradient::scalar;
    test.spec.reduction = LossReduction::sum;
    test.spec.d_hidden_dtype = f32;
    check(runtime, test);
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: class weights and a temperature far from 1") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    for (const float weights : {1e-7f, 1e6f}) {
      Case test{.spec = spec_of(40, 150, f16), .tokens = 8, .class_weight_scale = weights};
      test.spec.has_class_weights = test.spec.has_label_smoothing = test.spec.has_temperature = true;
      test.spec.d_hidden_dtype = f32;
      check(runtime, test);
      test.temperature = 0.00005f;
      test.spread = 0.00005;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: z-loss, which no class weights weigh, beside small ones") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const float weights : {1e-6f, 0.0f}) {
      ++seed;
      if (repeats_sm_80(runtime) && weights == 0.0f) continue;
      // Beside z-loss they are next to nothing; the unit is that of z-loss.
      Case test{.spec = spec_of(16, 64, f16),
                .tokens = 8,
                .entropy_scale = 1e-6f,
                .class_weight_scale = weights,
                .lse_square_scale = 0.01f,
                .seed = seed};
      test.spec.reduction = weights == 0.0f ? LossReduction::none : LossReduction::sum;
      test.spec.has_class_weights = test.spec.has_z_loss = true;
      test.spec.d_hidden_dtype = f32;
      check(runtime, test);
      test.spec.upstream = weights == 0.0f ? UpstreamGradient::token : UpstreamGradient::scalar;
      test.upstream_scale = 1e5f;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy, entropy gradient: beside a mean over many tokens") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    const bool on_cpu = runtime.target().backend == Backend::cpu;
    for (const float scale : {1e4f, 1e-4f, 1e-6f}) {
      Case test{
          .spec = spec_of(8, 40, f16), .tokens = on_cpu ? 8192 : 1100, .ignored = 20, .entropy_scale = scale};
      test.spec.d_hidden_dtype = f32;
      check(runtime, test);
    }
  });
}
