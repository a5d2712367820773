// What memory linear_cross_entropy touches: nothing beyond its rows, not even to read; rows farther apart
// than 32 bits count; and more logits than 32 bits count.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "codegen/canonical.h"
#include "codegen/ops/linear_cross_entropy.h"
#include "tests/kernels/linear_cross_entropy_case.h"
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

/// Bytes of a tensor.
std::size_t bytes_of(const codegen::Argument& argument, const LinearCrossEntropyArgs& args) {
  Index count = 1;
  for (const codegen::Extent& extent : argument.shape) {
    const Index symbol = extent.symbol == "tokens"        ? args.tokens
                         : extent.symbol == "shards"      ? args.shards
                         : extent.symbol == "vocab_total" ? args.vocab_total
                                                          : 0;
    count *= extent.constant + symbol;
  }
  return static_cast<std::size_t>(count) * size_of(argument.dtype);
}

/// Launches with every tensor, and the workspace, in memory of its own that has not a byte more: what
/// `place(bytes)` gives, all zeros.
template <class Place>
void run_in_exact_memory(Runtime& runtime, const LinearCrossEntropySpec& spec, Place place) {
  const auto kernel = runtime.get(spec).value();
  const auto& normalized = std::get<LinearCrossEntropySpec>(kernel.spec());
  LinearCrossEntropyArgs args{.tokens = 7, .shards = 2, .label_smoothing = 0.1f, .soft_cap = 3};
  if (normalized.vocab_parallel) {
    args.vocab_total = normalized.vocab_size + 5;
    args.vocab_first = normalized.vocab_size > 0 ? 3 : 0;
  }
  for (const codegen::Argument& argument : codegen::arguments_of_linear_cross_entropy(kernel.spec())) {
    if (argument.kind == codegen::ArgumentKind::scalar || argument.kind == codegen::ArgumentKind::workspace)
      continue;
    const void* const pointer = place(bytes_of(argument, args));
    std::memcpy(reinterpret_cast<std::byte*>(&args) + argument.offset, &pointer, sizeof pointer);
  }
  args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
  args.workspace = place(static_cast<std::size_t>(args.workspace_bytes));
  const auto launched = kernel.launch(args, {});
  CHECK((launched ? "" : launched.error().text()) == "");
  const auto done = runtime.synchronize({});
  CHECK((done ? "" : done.error().text()) == "");
}

/// On the CPU the test fails by ending the program.
void run_at_fences(Runtime& runtime, const LinearCrossEntropySpec& spec, FencedPages::Side side) {
  std::deque<FencedPages> memory;
  run_in_exact_memory(runtime, spec,
                      [&](std::size_t bytes) -> void* { return memory.emplace_back(bytes, side).data(); });
}

/// On the emulator, which checks every access, by an error.
void run_in_allocations(Runtime& runtime, const LinearCrossEntropySpec& spec) {
  std::vector<Buffer> memory;
  run_in_exact_memory(runtime, spec, [&](std::size_t bytes) -> void* {
    memory.push_back(runtime.allocate(bytes).value());
    REQUIRE(runtime.copy_to_device(memory.back().data(), std::vector<std::byte>(bytes).data(), bytes, {}));
    return memory.back().data();
  });
}

/// Modes, shards among them, with all options or none, which take turns with dtypes and sizes.
std::vector<LinearCrossEntropySpec> specs_of_every_tensor(const Runtime& runtime) {
  const bool on_cpu = runtime.target().backend == Backend::cpu;
  constexpr DType kDTypes[] = {bf16, f16, f32};
  std::vector<LinearCrossEntropySpec> specs;
  std::size_t turn = 0;
  const auto add = [&](LossMode mode, std::int64_t size, bool is_shard) {
    const bool is_merge = mode == LossMode::merge;
    LinearCrossEntropySpec spec = storing_all(mode, is_merge ? 0 : size, is_merge ? 0 : 2 * size + 1);
    spec.dtype = is_merge ? bf16 : kDTypes[turn % (on_cpu ? 3 : 2)];
    spec.vocab_parallel = is_shard;
    if (turn % 2 == 0) {
      spec.has_bias = spec.has_class_weights = spec.has_label_smoothing = spec.has_z_loss = true;
      spec.has_soft_cap = spec.has_temperature = spec.scales_by_probability = true;
      spec.upstream = UpstreamGradient::token;
      spec.has_entropy_gradient = mode == LossMode::recompute;
      spec.accumulate_d_weight = turn % 4 == 0;
      spec.reduction = turn % 4 == 0 ? LossReduction::none : LossReduction::sum;
    }
    if (turn % 4 < 2 && !is_merge) spec.d_weight_dtype = spec.dtype;
    if (turn % 3 == 0) spec.target_dtype = i32;
    specs.push_back(spec);
    ++turn;
  };
  for (const std::int64_t size : {67, 1, 17, 128}) {
    if (!on_cpu && size != 67) continue;
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::forward_only, LossMode::recompute})
      add(mode, size, false);
    if (size != 67 && size != 17) continue;
    add(LossMode::recompute, size, true);
    add(LossMode::forward_only, size, true);
    add(LossMode::merge, size, true);
  }
  return specs;
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
    const Target& target = runtime.target();
    if (target.backend == Backend::cuda || target.arch == "sm_90a") return;
    for (const LinearCrossEntropySpec& spec : specs_of_every_tensor(runtime)) {
      INFO(codegen::canonical_text(spec));
      if (target.backend == Backend::emulate) {
        run_in_allocations(runtime, spec);
        continue;
      }
      run_at_fences(runtime, spec, FencedPages::Side::begin);
      run_at_fences(runtime, spec, FencedPages::Side::end);
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
