// What other implementations of linear_cross_entropy are tested with, or were found wrong with: shapes,
// options' values, numbers that mean "ignored", predictions that are all but certain.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/reference/rounding.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using LossMode = LinearCrossEntropyMode;
using Spec = LinearCrossEntropySpec;
using Case = LinearCrossEntropyCase;

void check(Runtime& runtime, const Case& test) {
  const std::string wrong = run_linear_cross_entropy(runtime, test);
  CHECK(wrong == "");
}

/// Token k's only element is hidden[k], 1; its target is class 2k, with the weight logit(k) there. All other
/// logits are 0.
struct CertainTokens {
  static constexpr std::size_t kTokens = 5, kHidden = 8;

  CertainTokens(DType its_dtype, std::size_t its_classes)
      : dtype(its_dtype), classes(its_classes), weight(its_classes * kHidden) {
    for (std::size_t k = 0; k < kTokens; ++k) {
      hidden[k * kHidden + k] = reference::bits_of(dtype, 1);
      weight[at_target(k)] = reference::bits_of(dtype, logit(k));
      targets.push_back(static_cast<std::int64_t>(2 * k));
    }
  }
  static std::size_t at_target(std::size_t k) { return 2 * k * kHidden + k; }
  double others() const { return static_cast<double>(classes - 1); }
  /// With which the targets' probabilities are about 0.5, 0.9, 0.99, 0.999, 0.9999.
  double logit(std::size_t k) const {
    const double rest = std::pow(10, -static_cast<double>(k));
    return reference::rounded_to(dtype, std::log(others() * (k == 0 ? 1 : (1 - rest) / rest)));
  }
  /// Of every class but the token's target, together: 1 - p of that.
  double rest(std::size_t k) const { return others() / (std::exp(logit(k)) + others()); }

  DType dtype;
  std::size_t classes;
  std::vector<std::uint16_t> hidden = std::vector<std::uint16_t>(kTokens * kHidden);
  std::vector<std::uint16_t> weight;
  std::vector<std::int64_t> targets;
};

/// Memory of a launch of CertainTokens; no temporaries of it are launched.
class CertainLaunch {
 public:
  CertainLaunch(Runtime& runtime, const CertainTokens& tokens, LossMode mode)
      : runtime_(runtime),
        kernel_(runtime.get(spec_of(tokens, mode)).value()),
        hidden_(runtime, tokens.hidden.size() * 2),
        weight_(runtime, tokens.weight.size() * 2),
        targets_(runtime, tokens.targets.size() * 8),
        losses_(runtime, tokens.targets.size() * 4),
        d_weight_(runtime, tokens.weight.size() * 4) {
    hidden_.upload(tokens.hidden.data());
    weight_.upload(tokens.weight.data());
    targets_.upload(tokens.targets.data());
    losses_.upload(std::vector<float>(tokens.targets.size(), -9).data());
    d_weight_.upload(std::vector<float>(tokens.weight.size(), -9).data());
  }

  void run(GuardedBuffer& loss, GuardedBuffer& lse) {
    LinearCrossEntropyArgs args{.hidden = hidden_.data(),
                                .weight = weight_.data(),
                                .targets = targets_.data(),
                                .lse_in = static_cast<const float*>(lse.data()),
                                .loss = static_cast<float*>(loss.data()),
                                .losses = static_cast<float*>(losses_.data()),
                                .lse = static_cast<float*>(lse.data()),
                                .d_weight = d_weight_.data(),
                                .tokens = CertainTokens::kTokens};
    args.workspace_bytes = static_cast<Index>(kernel_.workspace_bytes(args).value());
    const GuardedBuffer workspace(runtime_, static_cast<std::size_t>(args.workspace_bytes));
    args.workspace = workspace.data();
    REQUIRE(kernel_.launch(args, {}).has_value());
    REQUIRE(runtime_.synchronize({}).has_value());
  }

  /// d loss / d logit of a token's target: all that reaches this element of d_weight.
  double of_target(std::size_t k) const { return at(d_weight_, CertainTokens::at_target(k)); }
  double loss(std::size_t k) const { return at(losses_, k); }

 private:
  static double at(const GuardedBuffer& floats, std::size_t i) {
    float value = 0;
    std::memcpy(&value, floats.download().data() + i * 4, 4);
    return static_cast<double>(value);
  }
  static Spec spec_of(const CertainTokens& tokens, LossMode mode) {
    return {.hidden_size = CertainTokens::kHidden,
            .vocab_size = static_cast<std::int64_t>(tokens.classes),
            .dtype = tokens.dtype,
            .mode = mode,
            .reduction = LossReduction::sum,
            .store_losses = true,
            .store_lse = true,
            .store_d_hidden = false};
  }

  Runtime& runtime_;
  KernelFor<Spec> kernel_;
  GuardedBuffer hidden_, weight_, targets_, losses_, d_weight_;
};

/// Of one token of one element, on a CPU, whose memory is any memory.
double loss_of(Runtime& runtime, float hidden, const std::vector<float>& weight, std::int64_t target) {
  const auto kernel = runtime
                          .get(Spec{.hidden_size = 1,
                                    .vocab_size = static_cast<std::int64_t>(weight.size()),
                                    .dtype = f32,
                                    .mode = LossMode::forward_only})
                          .value();
  float loss = -9;
  LinearCrossEntropyArgs args{
      .hidden = &hidden, .weight = weight.data(), .targets = &target, .loss = &loss, .tokens = 1};
  args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
  const Buffer workspace = runtime.allocate(static_cast<std::size_t>(args.workspace_bytes)).value();
  args.workspace = workspace.data();
  REQUIRE(kernel.launch(args, {}).has_value());
  REQUIRE(runtime.synchronize({}).has_value());
  return static_cast<double>(loss);
}

}  // namespace

TEST_CASE("linear_cross_entropy: losses and gradients keep their digits when targets are all but certain") {
  on_every_target([](Runtime& runtime) {
    const bool on_cpu = runtime.target().backend == Backend::cpu;
    for (const DType dtype : {bf16, f16}) {
      // GPUs take turns.
      if (!on_cpu && (dtype == f16) != repeats_sm_80(runtime)) continue;
      // Many parts, in each of which the other classes weigh less than what floats can tell from 1.
      const CertainTokens tokens(dtype, on_cpu ? 128256 : 20000);
      GuardedBuffer loss(runtime, 4), lse(runtime, CertainTokens::kTokens * 4);
      const std::vector<float> nothing(CertainTokens::kTokens);
      loss.upload(nothing.data());
      lse.upload(nothing.data());
      CertainLaunch forward(runtime, tokens, LossMode::forward_only);
      forward.run(loss, lse);
      for (std::size_t k = 0; k < CertainTokens::kTokens; ++k) {
        const double expected = -std::log1p(-tokens.rest(k));
        INFO("1 - p is " << tokens.rest(k) << ", the loss " << forward.loss(k) << ", exactly " << expected);
        CHECK(std::fabs(forward.loss(k) - expected) <= 3e-7 + 3e-7 * expected);
      }
      for (const LossMode mode : {LossMode::recompute, LossMode::gradient_in_forward}) {
        CertainLaunch launch(runtime, tokens, mode);
        launch.run(loss, lse);
        for (std::size_t k = 0; k < CertainTokens::kTokens; ++k) {
          const double expected = -tokens.rest(k);
          // One rounding to dtype, and a few of floats near 1; of recompute those of an lse below 32.
          const double unit = dtype == f16 ? 0x1p-11 : 0x1p-8;
          const double tolerance = unit * -expected + (mode == LossMode::recompute ? 2e-6 : 6e-7);
          INFO("1 - p is " << -expected << ", the gradient " << launch.of_target(k));
          CHECK(std::fabs(launch.of_target(k) - expected) <= tolerance);
        }
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: a loss keeps what a long tail of classes adds, each next to nothing") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // others have it with fewer classes, above
    constexpr Index kClasses = 256000;
    constexpr double kTail = 6.1e-10;  // of each class but the target, whose logit is 0
    for (const Index target : {Index{0}, kClasses / 3, kClasses - 1}) {
      std::vector<float> weight(kClasses);
      const float hidden = 1;
      float& logit = weight[static_cast<std::size_t>(target)];
      logit = static_cast<float>(-std::log(kTail));
      const double expected =
          std::log1p(static_cast<double>(kClasses - 1) * std::exp(-static_cast<double>(logit)));
      CHECK(std::fabs(loss_of(runtime, hidden, weight, target) - expected) <= 1e-7);
    }
  });
}

TEST_CASE("linear_cross_entropy: shapes of the peers' tests") {
  struct Sizes {
    Index tokens, hidden, vocab;
  };
  const Sizes all[] = {{63, 41, 41},    {188, 31, 123},  {252, 123, 507}, {129, 96, 384}, {4, 8, 8},
                       {256, 128, 512}, {128, 128, 256}, {252, 128, 507}, {32, 64, 8192}};
  on_every_target([&](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    std::uint32_t seed = 0;
    for (const Sizes& sizes : all) {
      ++seed;
      // The others are cut for the emulator by tests of every size.
      if (runtime.target().backend == Backend::emulate && seed > 4) continue;
      Case test{.spec = storing_all(LossMode::gradient_in_forward, sizes.hidden, sizes.vocab),
                .tokens = sizes.tokens,
                .ignored = static_cast<int>(sizes.tokens / 5),
                .seed = seed};
      if (runtime.target().backend == Backend::cpu && seed % 2 == 0) test.spec.dtype = f32;
      test.spec.reduction = seed % 3 == 0 ? LossReduction::sum : LossReduction::mean;
      test.spec.upstream = UpstreamGradient::scalar;  // 0.7
      test.spec.has_bias = seed % 2 == 1;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: options' values that models are trained with, and any number ignored") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    struct Values {
      float smoothing, z_loss, soft_cap;
      Index ignore_index;
    };
    for (const Values& values : {Values{0.1f, 1e-4f, 30, 42}, Values{0.2f, 1e-5f, 40, 2},
                                 Values{0.1f, 1e-4f, 20, -123}, Values{0, 0, 50, -300}}) {
      Case test{.spec = storing_all(LossMode::gradient_in_forward, 31, 123),
                .tokens = 40,
                .ignored = 17,
                .ignore_index = values.ignore_index,
                .spread = 12,
                .label_smoothing = values.smoothing,
                .lse_square_scale = values.z_loss,
                .soft_cap = values.soft_cap};
      test.spec.has_bias = test.spec.has_class_weights = test.spec.has_label_smoothing = true;
      test.spec.has_z_loss = test.spec.has_soft_cap = true;
      test.spec.store_z_loss = false;  // it is in the loss all the same
      check(runtime, test);
    }
  });
}
