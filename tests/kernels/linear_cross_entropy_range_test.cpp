// linear_cross_entropy where it is not ordinary: tokens that do not count, numbers at the ends of their
// range, ties.
#include "tests/kernels/linear_cross_entropy_case.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using LossMode = LinearCrossEntropyMode;
using Case = LinearCrossEntropyCase;

constexpr LossMode kModes[] = {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute};
constexpr LossReduction kReductions[] = {LossReduction::mean, LossReduction::sum, LossReduction::none};

void check(Runtime& runtime, const Case& test) {
  const std::string wrong = run_linear_cross_entropy(runtime, test);
  CHECK(wrong == "");
}

}  // namespace

TEST_CASE("linear_cross_entropy: tokens that do not count") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : kModes) {
      for (const LossReduction reduction : kReductions) {
        if (mode == LossMode::recompute && reduction != LossReduction::mean) continue;
        if (repeats_sm_80(runtime) && reduction != LossReduction::mean) continue;
        Case test{.spec = storing_all(mode, 24, 50), .tokens = 12, .ignored = 12};
        test.spec.reduction = reduction;
        test.spec.has_bias = true;
        test.spec.has_z_loss = reduction == LossReduction::mean;
        check(runtime, test);  // all
        test.ignored = 10;
        check(runtime, test);
        test.ignored = 0;
        test.ignore_index = 7;  // a class that may be a target
        check(runtime, test);
        test.bad = 3;
        check(runtime, test);
        test.tokens = 0;
        test.bad = 0;
        check(runtime, test);
        if (mode != LossMode::gradient_in_forward || reduction != LossReduction::mean) continue;
        test.spec.accumulate_d_weight = true;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: classes masked by a bias of minus infinity") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : kModes) {
      Case test{.spec = storing_all(mode, 32, 200), .tokens = 6, .masked_classes = 150};
      test.spec.has_bias = true;
      if (mode == LossMode::recompute) test.spec.bias_dtype = f32;
      check(runtime, test);
      test.spec.has_label_smoothing = true;  // by nothing, or all losses would be infinite
      test.label_smoothing = 0;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: tokens whose targets are all but certain") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      Case test{.spec = storing_all(mode, 64, 60), .tokens = 10, .confident = true};
      check(runtime, test);
      test.spec.dtype = f16;
      test.spread = 6;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: smoothed labels of classes far below the largest, under a soft cap") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f16, bf16}) {
      // Up to 60 below the largest, or 300: exponentials that the type, or a float, cannot hold.
      Case test{.spec = storing_all(LossMode::gradient_in_forward, 16, 256),
                .tokens = 5,
                .spread = 20,
                .label_smoothing = 0.1f,
                .soft_cap = 30,
                .temperature = 0.2f};
      test.spec.dtype = dtype;
      test.spec.has_soft_cap = test.spec.has_label_smoothing = test.spec.has_bias = true;
      test.spec.has_temperature = dtype == bf16;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: upstream gradients far from 1") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      for (const float scale : {1.0f / 65536, 262144.0f}) {
        Case test{.spec = storing_all(mode, 40, 300), .tokens = 8, .upstream_scale = scale};
        test.spec.dtype = f16;
        test.spec.reduction = LossReduction::sum;
        test.spec.d_hidden_dtype = f32;
        test.spec.upstream = UpstreamGradient::token;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: more classes than parts have tiles") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // a GPU's parts have several in every test
    Case test{.spec = storing_all(LossMode::forward_only, 8, 50021), .tokens = 5};
    test.spec.dtype = f32;
    test.spec.has_label_smoothing = test.spec.has_class_weights = true;
    check(runtime, test);
  });
}

TEST_CASE("linear_cross_entropy: of equal logits the first is the largest") {
  on_every_target([](Runtime& runtime) {
    for (const Index classes : {40, 300}) {
      const auto kernel = runtime
                              .get(LinearCrossEntropySpec{.hidden_size = 8,
                                                          .vocab_size = classes,
                                                          .target_dtype = i32,
                                                          .mode = LossMode::forward_only,
                                                          .reduction = LossReduction::none,
                                                          .store_argmax = true})
                              .value();
      const std::vector<std::uint16_t> zeros(static_cast<std::size_t>(classes) * 8);
      GuardedBuffer hidden(runtime, 16), weight(runtime, zeros.size() * 2), targets(runtime, 4);
      GuardedBuffer losses(runtime, 4), argmax(runtime, 8);
      for (GuardedBuffer* buffer : {&hidden, &weight, &targets, &losses, &argmax})
        buffer->upload(zeros.data());
      LinearCrossEntropyArgs args{.hidden = hidden.data(),
                                  .weight = weight.data(),
                                  .targets = targets.data(),
                                  .losses = static_cast<float*>(losses.data()),
                                  .argmax = static_cast<Index*>(argmax.data()),
                                  .tokens = 1};
      args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
      const GuardedBuffer workspace(runtime, static_cast<std::size_t>(args.workspace_bytes));
      args.workspace = workspace.data();
      REQUIRE(kernel.launch(args, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      Index first = -1;
      std::memcpy(&first, argmax.download().data(), sizeof first);
      CHECK(first == 0);
    }
  });
}

TEST_CASE("linear_cross_entropy: numbers that are none stay so, whatever their bits") {
  on_every_target([](Runtime& runtime) {
    for (const std::uint32_t bits : {0x7FFFFFFFU, 0xFFFFFFFFU}) {
      const auto kernel = runtime
                              .get(LinearCrossEntropySpec{.hidden_size = 8,
                                                          .vocab_size = 4,
                                                          .target_dtype = i32,
                                                          .mode = LossMode::recompute,
                                                          .d_hidden_dtype = f32})
                              .value();
      const std::vector<std::uint16_t> ones(4 * 8, 0x3F80);
      const std::vector<std::uint32_t> target{1}, lse{bits};
      GuardedBuffer hidden(runtime, 16), weight(runtime, 64), targets(runtime, 4), lse_in(runtime, 4);
      GuardedBuffer d_hidden(runtime, 32), d_weight(runtime, 128);
      hidden.upload(ones.data());
      weight.upload(ones.data());
      targets.upload(target.data());
      lse_in.upload(lse.data());
      d_hidden.upload(ones.data());
      d_weight.upload(std::vector<float>(32).data());
      LinearCrossEntropyArgs args{.hidden = hidden.data(),
                                  .weight = weight.data(),
                                  .targets = targets.data(),
                                  .lse_in = static_cast<const float*>(lse_in.data()),
                                  .d_hidden = d_hidden.data(),
                                  .d_weight = d_weight.data(),
                                  .tokens = 1};
      args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
      const GuardedBuffer workspace(runtime, static_cast<std::size_t>(args.workspace_bytes));
      args.workspace = workspace.data();
      REQUIRE(kernel.launch(args, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      for (const GuardedBuffer* gradient : {&d_hidden, &d_weight}) {
        float first = 0;
        std::memcpy(&first, gradient->download().data(), sizeof first);
        CHECK(std::isnan(first));
      }
    }
  });
}
