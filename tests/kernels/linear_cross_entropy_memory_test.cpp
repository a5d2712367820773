// What memory linear_cross_entropy touches: nothing beyond its rows, not even to read; rows farther apart
// than 32 bits count; and more logits than 32 bits count.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "tests/reference/linear_cross_entropy.h"
#include "tests/reference/rounding.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/fenced_pages.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/sparse_memory.h"

using namespace lathe;
using namespace lathe::tests;
using LossMode = LinearCrossEntropyMode;

namespace {

/// Runs with every tensor right at a fence. The test fails by ending the program.
void run_at_fences(Runtime& runtime, const LinearCrossEntropySpec& spec, FencedPages::Side side) {
  constexpr std::size_t kTokens = 7;
  const std::size_t element = size_of(spec.dtype);
  const auto hidden_size = static_cast<std::size_t>(spec.hidden_size);
  const auto classes = static_cast<std::size_t>(spec.vocab_size);
  const FencedPages hidden(kTokens * hidden_size * element, side);
  const FencedPages weight(classes * hidden_size * element, side);
  const FencedPages bias(classes * element, side);
  const FencedPages targets(kTokens * 4, side);
  const FencedPages lse(kTokens * 4, side);
  const FencedPages loss(4, side);
  const FencedPages d_hidden(kTokens * hidden_size * element, side);
  const FencedPages d_weight(classes * hidden_size * 4, side);
  const FencedPages d_bias(classes * 4, side);
  const auto kernel = runtime.get(spec).value();
  LinearCrossEntropyArgs args{.hidden = hidden.data(),
                              .weight = weight.data(),
                              .bias = bias.data(),
                              .targets = targets.data(),
                              .lse_in = reinterpret_cast<const float*>(lse.data()),
                              .loss = reinterpret_cast<float*>(loss.data()),
                              .lse = reinterpret_cast<float*>(lse.data()),
                              .d_hidden = d_hidden.data(),
                              .d_weight = d_weight.data(),
                              .d_bias = d_bias.data(),
                              .tokens = kTokens};
  args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
  const GuardedBuffer workspace(runtime, static_cast<std::size_t>(args.workspace_bytes));
  args.workspace = workspace.data();
  const auto launched = kernel.launch(args, {});
  CHECK(launched.has_value());
}

template <class T>
GuardedBuffer upload(Runtime& runtime, const std::vector<T>& values) {
  GuardedBuffer buffer(runtime, values.size() * sizeof(T));
  buffer.upload(values.data());
  return buffer;
}

template <class T>
std::vector<T> download(const GuardedBuffer& buffer) {
  const auto bytes = buffer.download();
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

reference::Matrix random_rows(std::size_t rows, std::size_t columns, std::mt19937& random) {
  std::normal_distribution<double> normal;
  reference::Matrix matrix(rows, std::vector<double>(columns));
  for (auto& row : matrix) {
    for (double& value : row) value = reference::rounded_to(bf16, normal(random));
  }
  return matrix;
}

/// bf16 elements of a row.
std::vector<std::uint16_t> bits_of(const std::vector<double>& row) {
  std::vector<std::uint16_t> bits;
  for (const double value : row) bits.push_back(reference::bits_of(bf16, value));
  return bits;
}

}  // namespace

TEST_CASE("linear_cross_entropy: no byte beyond a row is read or written") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // the emulator checks every access anyway
    // Dtypes take turns, so that each meets every mode and every size.
    constexpr DType kDTypes[] = {f32, f16, bf16};
    std::size_t turn = 0;
    for (const LossMode mode : {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute}) {
      for (const std::int64_t size : {1, 17, 67, 128}) {
        const LinearCrossEntropySpec spec{.hidden_size = size,
                                          .vocab_size = 2 * size + 1,
                                          .dtype = kDTypes[turn++ % 3],
                                          .target_dtype = i32,
                                          .mode = mode,
                                          .has_bias = true,
                                          .store_lse = true};
        run_at_fences(runtime, spec, FencedPages::Side::begin);
        run_at_fences(runtime, spec, FencedPages::Side::end);
      }
    }
  });
}

TEST_CASE("linear_cross_entropy: offsets beyond 2^31 elements") {
  on_every_target([](Runtime& runtime) {
    // Three tokens and four classes; rows of hidden, weight and their gradients take turns in one memory.
    constexpr std::size_t kHidden = 16, kTokens = 3, kClasses = 4;
    constexpr Index kStride = (Index{1} << 31) / 2 + 64;
    const SparseMemory memory(runtime, static_cast<std::size_t>(kStride) * kClasses * 2);
    if (memory.data() == nullptr) {
      WARN("skipped on " << runtime.target().text() << ": it has no 8 GiB to spare");
      return;
    }
    std::mt19937 random(1);
    const reference::LinearCrossEntropy problem{.hidden = random_rows(kTokens, kHidden, random),
                                                .weight = random_rows(kClasses, kHidden, random),
                                                .targets = {3, 0, 2}};
    const auto expected = reference::linear_cross_entropy(problem);
    std::uint16_t* const hidden = memory.data();
    std::uint16_t* const weight = hidden + kHidden;
    std::uint16_t* const d_hidden = weight + kHidden;
    std::uint16_t* const d_weight = d_hidden + kHidden;
    const auto place = [&](std::uint16_t* to, const reference::Matrix& matrix) {
      for (std::size_t row = 0; row < matrix.size(); ++row) {
        const auto bits = bits_of(matrix[row]);
        REQUIRE(
            runtime.copy_to_device(to + static_cast<Index>(row) * kStride, bits.data(), bits.size() * 2, {}));
      }
    };
    place(hidden, problem.hidden);
    place(weight, problem.weight);
    const GuardedBuffer targets = upload(runtime, problem.targets);
    const GuardedBuffer loss = upload(runtime, std::vector<float>{-1});
    const auto kernel = runtime
                            .get(LinearCrossEntropySpec{
                                .hidden_size = kHidden, .vocab_size = kClasses, .d_weight_dtype = bf16})
                            .value();
    LinearCrossEntropyArgs args{.hidden = hidden,
                                .weight = weight,
                                .targets = targets.data(),
                                .loss = static_cast<float*>(loss.data()),
                                .d_hidden = d_hidden,
                                .d_weight = d_weight,
                                .tokens = kTokens,
                                .hidden_stride = kStride,
                                .weight_stride = kStride,
                                .d_hidden_stride = kStride,
                                .d_weight_stride = kStride};
    args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
    const GuardedBuffer workspace(runtime, static_cast<std::size_t>(args.workspace_bytes));
    args.workspace = workspace.data();
    REQUIRE(kernel.launch(args, {}).has_value());
    REQUIRE(runtime.synchronize({}).has_value());
    CHECK(std::fabs(static_cast<double>(download<float>(loss)[0]) - expected.loss) < 1e-4);
    const auto compare = [&](const std::uint16_t* from, const reference::Matrix& gradient) {
      for (std::size_t row = 0; row < gradient.size(); ++row) {
        std::array<std::uint16_t, kHidden> bits{};
        REQUIRE(runtime.copy_to_host(bits.data(), from + static_cast<Index>(row) * kStride, sizeof bits, {}));
        for (std::size_t i = 0; i < kHidden; ++i)
          CHECK(std::fabs(reference::value_of(bf16, bits[i]) - gradient[row][i]) < 0.02);
      }
    };
    compare(d_hidden, expected.d_hidden);
    compare(d_weight, expected.d_weight);
  });
}

TEST_CASE("linear_cross_entropy: more than 2^31 logits") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend == Backend::emulate) return;  // hours; offsets are tested above
    // Few different tokens, many times.
    constexpr std::size_t kHidden = 8, kDifferent = 5, kClasses = 65537, kTokens = 32801;
    static_assert(kClasses * kTokens > std::size_t{1} << 31);
    std::mt19937 random(1);
    const reference::LinearCrossEntropy problem{.hidden = random_rows(kDifferent, kHidden, random),
                                                .weight = random_rows(kClasses, kHidden, random),
                                                .targets = {65536, 0, 40000, 1, 32768}};
    const auto expected = reference::linear_cross_entropy(problem);
    std::vector<std::uint16_t> hidden, weight;
    std::vector<std::int64_t> token_targets;
    for (std::size_t token = 0; token < kTokens; ++token) {
      const auto bits = bits_of(problem.hidden[token % kDifferent]);
      hidden.insert(hidden.end(), bits.begin(), bits.end());
      token_targets.push_back(problem.targets[token % kDifferent]);
    }
    for (const auto& row : problem.weight) {
      const auto bits = bits_of(row);
      weight.insert(weight.end(), bits.begin(), bits.end());
    }
    const GuardedBuffer x = upload(runtime, hidden), w = upload(runtime, weight);
    const GuardedBuffer targets = upload(runtime, token_targets);
    const GuardedBuffer losses = upload(runtime, std::vector<float>(kTokens, -1));
    const auto kernel = runtime
                            .get(LinearCrossEntropySpec{.hidden_size = kHidden,
                                                        .vocab_size = kClasses,
                                                        .mode = LossMode::forward_only,
                                                        .reduction = LossReduction::none})
                            .value();
    LinearCrossEntropyArgs args{.hidden = x.data(),
                                .weight = w.data(),
                                .targets = targets.data(),
                                .losses = static_cast<float*>(losses.data()),
                                .tokens = kTokens};
    args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
    CHECK(args.workspace_bytes <= Index{64} << 20);
    const GuardedBuffer workspace(runtime, static_cast<std::size_t>(args.workspace_bytes));
    args.workspace = workspace.data();
    REQUIRE(kernel.launch(args, {}).has_value());
    REQUIRE(runtime.synchronize({}).has_value());
    const auto stored = download<float>(losses);
    std::size_t wrong = 0;
    for (std::size_t token = 0; token < kTokens; ++token) {
      if (!(std::fabs(static_cast<double>(stored[token]) - expected.losses[token % kDifferent]) < 1e-4))
        ++wrong;
    }
    CHECK(wrong == 0);
  });
}
