// linear_cross_entropy on every device at hand, against double precision. Each case is launched twice and
// must give the same bits.
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

/// With all that is stored.
LinearCrossEntropySpec spec_of(LossMode mode, std::int64_t hidden, std::int64_t vocab) {
  return {.hidden_size = hidden,
          .vocab_size = vocab,
          .mode = mode,
          .store_losses = true,
          .store_z_loss = true,
          .store_lse = true,
          .store_target_logits = true,
          .store_entropy = true,
          .store_argmax = true,
          .store_accuracy = true};
}

using Option = void (*)(LinearCrossEntropySpec&);
constexpr Option kOptions[] = {[](LinearCrossEntropySpec& s) { s.has_bias = true; },
                               [](LinearCrossEntropySpec& s) { s.has_class_weights = true; },
                               [](LinearCrossEntropySpec& s) { s.has_label_smoothing = true; },
                               [](LinearCrossEntropySpec& s) { s.has_z_loss = true; },
                               [](LinearCrossEntropySpec& s) { s.has_soft_cap = true; },
                               [](LinearCrossEntropySpec& s) { s.has_temperature = true; },
                               [](LinearCrossEntropySpec& s) { s.scales_by_probability = true; },
                               [](LinearCrossEntropySpec& s) { s.upstream = UpstreamGradient::token; },
                               [](LinearCrossEntropySpec& s) { s.accumulate_d_weight = true; },
                               [](LinearCrossEntropySpec& s) { s.d_weight_dtype = s.dtype; },
                               [](LinearCrossEntropySpec& s) { s.upstream = UpstreamGradient::scalar; },
                               [](LinearCrossEntropySpec& s) { s.target_dtype = i32; }};

/// Whether a target runs the same code as sm_80 does, compiled anew: sweeps over options leave it out.
bool repeats_sm_80(const Runtime& runtime) {
  return runtime.target().backend == Backend::emulate && runtime.target().arch != "sm_80";
}

/// The dtypes that a target has kernels for.
std::vector<DType> dtypes_of(const Runtime& runtime) {
  if (runtime.target().backend == Backend::cpu) return {bf16, f16, f32};
  return {bf16, f16};
}

}  // namespace

TEST_CASE("linear_cross_entropy: every mode with every dtype, and with every reduction") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const LossMode mode : kModes) {
      const auto check_one = [&](DType dtype, LossReduction reduction) {
        Case test{.spec = spec_of(mode, 72, 211), .tokens = 19, .ignored = 4, .seed = seed++};
        test.spec.dtype = dtype;
        test.spec.reduction = reduction;
        check(runtime, test);
      };
      for (const LossReduction reduction : kReductions) check_one(bf16, reduction);
      for (const DType dtype : dtypes_of(runtime)) {
        if (dtype != bf16) check_one(dtype, LossReduction::mean);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: each option alone, modes in turn") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    std::uint32_t seed = 1;
    for (const Option option : kOptions) {
      Case test{.spec = spec_of(kModes[seed % 3], 40, 131), .tokens = 9, .ignored = 2, .seed = seed};
      // Where there is f32, formulas are held to its precision.
      if (dtypes_of(runtime).size() == 3) test.spec.dtype = f32;
      option(test.spec);
      check(runtime, test);
      ++seed;
    }
  });
}

TEST_CASE("linear_cross_entropy: every pair of options in every mode") {
  // Two quarters of the options at a time: each two of them are together in one of the six.
  constexpr std::size_t kQuarter = std::size(kOptions) / 4;
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    std::uint32_t seed = 1;
    for (const LossMode mode : kModes) {
      for (std::size_t a = 0; a < 4; ++a) {
        for (std::size_t b = a + 1; b < 4; ++b) {
          Case test{.spec = spec_of(mode, 24, 37), .tokens = 6, .seed = seed};
          test.spec.reduction = kReductions[seed % 3];
          for (std::size_t i = 0; i < kQuarter; ++i) {
            kOptions[a * kQuarter + i](test.spec);
            kOptions[b * kQuarter + i](test.spec);
          }
          check(runtime, test);
          ++seed;
        }
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: all options at once") {
  on_every_target([](Runtime& runtime) {
    DType dtype = f16;
    for (const LossMode mode : kModes) {
      Case test{.spec = spec_of(mode, 56, 149), .tokens = 23, .ignored = 5};
      test.spec.dtype = dtype;
      for (const Option option : kOptions) option(test.spec);
      test.spec.bias_dtype = f32;
      check(runtime, test);
      dtype = dtype == f16 ? bf16 : f16;
    }
  });
}

TEST_CASE("linear_cross_entropy: any number of tokens, classes and hidden elements") {
  struct Sizes {
    Index tokens, vocab, hidden;
  };
  const Sizes all[] = {{1, 1, 1},     {1, 2, 8},       {2, 3, 3},      {7, 127, 16},
                       {16, 128, 33}, {17, 129, 64},   {127, 31, 65},  {128, 64, 96},
                       {129, 257, 7}, {199, 509, 123}, {31, 1021, 128}};
  on_every_target([&](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const Sizes& sizes : all) {
      for (const LossMode mode : kModes) {
        ++seed;
        // The largest with odd tails in every direction in all modes, the others in turn.
        if (sizes.tokens != 199 && seed % 3 != 0) continue;
        Case test{.spec = spec_of(mode, sizes.hidden, sizes.vocab),
                  .tokens = sizes.tokens,
                  .ignored = sizes.tokens > 4 ? 3 : 0,
                  .seed = seed};
        test.spec.has_bias = seed % 2 == 0;
        check(runtime, test);
      }
      ++seed;
    }
  });
}

TEST_CASE("linear_cross_entropy: chunks of tokens and of classes") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      for (const int variant : {0, 1, 2}) {
        Case test{.spec = spec_of(mode, 24, 300), .tokens = 300, .ignored = 50, .seed = seed++};
        test.spec.has_bias = true;
        test.spec.accumulate_d_weight = variant == 1;
        if (variant >= 1) test.spec.d_weight_dtype = bf16;
        if (variant == 2) test.spec.accumulator_dtype = bf16;
        // Asked for too little, it says what the smallest chunk takes.
        test.budget = 1;
        const std::string refused = run_linear_cross_entropy(runtime, test);
        const std::size_t at = refused.find("the smallest chunk takes ");
        REQUIRE(at != std::string::npos);
        test.budget = std::stoll(refused.substr(at + 25));
        check(runtime, test);
        if (variant != 1) continue;
        test.budget = test.budget * 3 / 2;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: one gradient only") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      for (const bool hidden : {true, false}) {
        Case test{.spec = spec_of(mode, 48, 140), .tokens = 11};
        test.spec.has_bias = true;
        test.spec.store_d_hidden = hidden;
        test.spec.store_d_weight = !hidden;
        test.spec.d_hidden_dtype = f32;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: tokens that do not count") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : kModes) {
      for (const LossReduction reduction : kReductions) {
        if (mode == LossMode::recompute && reduction != LossReduction::mean) continue;
        if (repeats_sm_80(runtime) && reduction != LossReduction::mean) continue;
        Case test{.spec = spec_of(mode, 24, 50), .tokens = 12, .ignored = 12};
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

TEST_CASE("linear_cross_entropy: rows apart, and addresses of any alignment") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : kModes) {
      for (const Index padding : {8, 4, 2, 1}) {
        if (mode == LossMode::forward_only && padding > 2) continue;
        if (repeats_sm_80(runtime) && padding > 1) continue;
        Case test{.spec = spec_of(mode, 40, 133),
                  .tokens = 9,
                  .padding = padding,
                  .offset_elements = static_cast<int>(padding)};
        test.spec.alignment = padding * 2;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: classes masked by a bias of minus infinity") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : kModes) {
      Case test{.spec = spec_of(mode, 32, 200), .tokens = 6, .masked_classes = 150};
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
      Case test{.spec = spec_of(mode, 64, 60), .tokens = 10, .confident = true};
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
      Case test{.spec = spec_of(LossMode::gradient_in_forward, 16, 256),
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
        Case test{.spec = spec_of(mode, 40, 300), .tokens = 8, .upstream_scale = scale};
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
    Case test{.spec = spec_of(LossMode::forward_only, 8, 50021), .tokens = 5};
    test.spec.dtype = f32;
    test.spec.has_label_smoothing = test.spec.has_class_weights = true;
    check(runtime, test);
  });
}

TEST_CASE("linear_cross_entropy: many rows in a chunk, and chunks of weighted classes") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    Case rows{.spec = spec_of(LossMode::gradient_in_forward, 24, 100), .tokens = 400, .budget = 1 << 22};
    rows.spec.d_weight_dtype = bf16;
    check(runtime, rows);
    Case classes{.spec = spec_of(LossMode::recompute, 24, 700), .tokens = 40, .budget = 160'000};
    classes.spec.has_class_weights = classes.spec.has_label_smoothing = classes.spec.has_soft_cap = true;
    check(runtime, classes);
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

TEST_CASE("linear_cross_entropy: many tiles of tokens") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    for (const LossMode mode : {LossMode::forward_only, LossMode::gradient_in_forward}) {
      Case test{.spec = spec_of(mode, 8, 300), .tokens = 2200, .ignored = 20};
      test.spec.d_weight_dtype = bf16;
      check(runtime, test);
    }
  });
}

TEST_CASE("linear_cross_entropy: a vocabulary in shards") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const std::vector<Index>& shards :
         {std::vector<Index>{140, 70}, std::vector<Index>{1, 150, 59}, std::vector<Index>{210}}) {
      if (repeats_sm_80(runtime) && seed > 1) return;
      Case test{.spec = spec_of(LossMode::recompute, 40, 210), .tokens = 13, .ignored = 2, .seed = seed};
      test.spec.reduction = kReductions[seed % 3];
      test.spec.has_bias = seed != 2;
      test.spec.has_class_weights = seed != 1;
      test.spec.has_label_smoothing = seed != 3;
      test.spec.has_z_loss = seed != 2;
      test.spec.scales_by_probability = seed != 1;
      const std::string wrong = run_vocabulary_shards(runtime, test, shards);
      CHECK(wrong == "");
      ++seed;
    }
  });
}
