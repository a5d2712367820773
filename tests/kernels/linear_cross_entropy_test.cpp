// linear_cross_entropy on every device at hand, against double precision. Each case is launched twice and
// must give the same bits.
#include "tests/kernels/linear_cross_entropy_case.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernels/linear_cross_entropy_chunks.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

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

}  // namespace

TEST_CASE("linear_cross_entropy: every mode with every dtype, and with every reduction") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const LossMode mode : kModes) {
      const auto check_one = [&](DType dtype, LossReduction reduction) {
        Case test{.spec = storing_all(mode, 72, 211), .tokens = 19, .ignored = 4, .seed = seed++};
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
      Case test{.spec = storing_all(kModes[seed % 3], 40, 131), .tokens = 9, .ignored = 2, .seed = seed};
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
          Case test{.spec = storing_all(mode, 24, 37), .tokens = 6, .seed = seed};
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
      Case test{.spec = storing_all(mode, 56, 149), .tokens = 23, .ignored = 5};
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
        Case test{.spec = storing_all(mode, sizes.hidden, sizes.vocab),
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
        Case test{.spec = storing_all(mode, 24, 300), .tokens = 300, .ignored = 50, .seed = seed++};
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

TEST_CASE("linear_cross_entropy: recomputed once for each gradient, where sums have no room") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 30;
    const bool on_cpu = runtime.target().backend == Backend::cpu;
    for (const DType dtype : {bf16, f16}) {
      if (repeats_sm_80(runtime) && dtype == f16) return;
      for (const bool accumulates : {false, true}) {
        Case test{.spec = storing_all(LossMode::recompute, 40, 700),
                  .tokens = 200,
                  .ignored = accumulates ? 90 : 7,
                  .bad = 1,
                  .budget = on_cpu ? 112'000 : 90'000,
                  .seed = seed++};
        test.spec.dtype = test.spec.d_weight_dtype = dtype;
        test.spec.has_bias = true;
        test.spec.accumulate_d_weight = accumulates;
        test.spec.upstream = accumulates ? UpstreamGradient::token : UpstreamGradient::one;
        CHECK(chunks_of(runtime, test).is_first_of_two_sweeps);
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: one gradient only") {
  on_every_target([](Runtime& runtime) {
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      for (const bool hidden : {true, false}) {
        Case test{.spec = storing_all(mode, 48, 140), .tokens = 11};
        test.spec.has_bias = true;
        test.spec.store_d_hidden = hidden;
        test.spec.store_d_weight = !hidden;
        test.spec.d_hidden_dtype = f32;
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
        Case test{.spec = storing_all(mode, 40, 133),
                  .tokens = 9,
                  .padding = padding,
                  .offset_elements = static_cast<int>(padding)};
        test.spec.alignment = padding * 2;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: many rows in a chunk, and chunks of weighted classes") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    Case rows{.spec = storing_all(LossMode::gradient_in_forward, 24, 100), .tokens = 400, .budget = 1 << 22};
    rows.spec.d_weight_dtype = bf16;
    check(runtime, rows);
    Case classes{.spec = storing_all(LossMode::recompute, 24, 700), .tokens = 40, .budget = 60'000};
    classes.spec.has_class_weights = classes.spec.has_label_smoothing = classes.spec.has_soft_cap = true;
    CHECK(chunks_of(runtime, classes).of_classes > 1);
    check(runtime, classes);
  });
}

TEST_CASE("linear_cross_entropy: many tiles of tokens") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    const bool on_cpu = runtime.target().backend == Backend::cpu;
    for (const LossMode mode : kModes) {
      if (!on_cpu && mode == LossMode::recompute) continue;
      Case test{.spec = storing_all(mode, on_cpu ? 20 : 8, on_cpu ? 131 : 300),
                .tokens = on_cpu ? 8192 : 2200,
                .ignored = 20};
      test.spec.d_weight_dtype = bf16;
      if (on_cpu && mode != LossMode::forward_only)
        test.budget = 3 << 20;  // several chunks of several groups
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
      Case test{.spec = storing_all(LossMode::recompute, 40, 210), .tokens = 13, .ignored = 2, .seed = seed};
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
