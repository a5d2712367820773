// What a launch of linear_cross_entropy is checked for, its chunks, rounds and workspace.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"
#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;
using LossMode = LinearCrossEntropyMode;

namespace {

constexpr Index kMiB = Index{1} << 20;

void* address(std::uintptr_t tensor) {
  return reinterpret_cast<void*>(tensor << 44);
}
float* floats(std::uintptr_t tensor) {
  return static_cast<float*>(address(tensor));
}

LinearCrossEntropyArgs packed_args(Index tokens) {
  return {.hidden = address(1),
          .weight = address(2),
          .bias = address(3),
          .targets = address(4),
          .class_weights = floats(5),
          .upstream = floats(6),
          .lse_in = floats(7),
          .target_logits_in = floats(8),
          .entropy_in = floats(22),
          .entropy_upstream = floats(23),
          .loss = floats(9),
          .losses = floats(10),
          .z_loss = floats(11),
          .lse = floats(12),
          .target_logits = floats(13),
          .entropy = floats(14),
          .argmax = static_cast<Index*>(address(15)),
          .accuracy = floats(16),
          .partials = floats(17),
          .d_hidden = address(18),
          .d_weight = address(19),
          .d_bias = address(20),
          .tokens = tokens,
          .workspace = address(21),
          .workspace_bytes = std::numeric_limits<Index>::max()};
}

LinearCrossEntropySpec normalized(LinearCrossEntropySpec spec) {
  return std::get<LinearCrossEntropySpec>(normalize_linear_cross_entropy(spec).value());
}

LinearCrossEntropySpec spec_of(LossMode mode) {
  return normalized({.hidden_size = 4096, .vocab_size = 128256, .mode = mode, .store_lse = true});
}

/// A kernel of a GPU with 132 multiprocessors, or of a CPU with two threads.
LaunchSite site_of(bool on_cpu) {
  static const std::array<EntryPoint, kMaxEntries> kGpu = [] {
    std::array<EntryPoint, kMaxEntries> entries{};
    for (EntryPoint& entry : entries) entry.launch.block = {256};
    return entries;
  }();
  static const std::array<EntryPoint, kMaxEntries> kCpu{};
  return {.entries = on_cpu ? kCpu : kGpu, .processors = on_cpu ? 2 : 132};
}

struct Launch {
  LinearCrossEntropySpec spec;
  LinearCrossEntropyArgs args;
  bool on_cpu = false;

  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(&args, 1)); }
  Result<Grids> prepare() { return prepare_linear_cross_entropy(spec, site_of(on_cpu), bytes()); }
  Result<std::size_t> workspace() {
    return workspace_bytes_of_linear_cross_entropy(spec, site_of(on_cpu), bytes());
  }
  std::string message() { return prepare().error().message; }
};

struct Rounds {
  Index all = 0;
  Index most_of_a_step = 0;  ///< rounds that have a product for d_hidden or, if there are more, for d_weight
};

/// Every class of every row is in exactly one round of each gradient's products.
Rounds check_rounds(Launch launch) {
  Grids grids = launch.prepare().value();
  const auto steps = steps_of(launch.spec.mode);
  const auto has = [&](LinearCrossEntropyStep step) {
    return grids[static_cast<std::size_t>(std::ranges::find(steps, step) - steps.begin())].x > 0;
  };
  const auto tiles = launch.on_cpu ? tiles_on_cpu(launch.spec) : tiles_on_gpu(launch.spec);
  LinearCrossEntropyArgs& args = launch.args;
  const auto* begin = static_cast<const char*>(args.workspace);
  const auto bytes = static_cast<Index>(launch.workspace().value());
  Index of_d_hidden = 0, of_d_weight = 0;
  Rounds rounds, of_hidden, of_weight;
  do {
    CHECK(args.first_row % tiles.rows == 0);
    CHECK(static_cast<const char*>(args.slab) - begin + args.chunk_rows * args.slab_stride * 2 <= bytes);
    const Index rows = std::min(args.chunk_rows, args.tokens - args.first_row);
    const Index classes = std::min(args.chunk_classes, launch.spec.vocab_size - args.first_class);
    CHECK(has(LinearCrossEntropyStep::logits));
    // The CPU packs the rows of each chunk.
    CHECK(has(LinearCrossEntropyStep::rows) == (rounds.all == 0 || (launch.on_cpu && args.first_class == 0)));
    if (has(LinearCrossEntropyStep::d_hidden)) of_d_hidden += rows * classes, ++of_hidden.all;
    if (has(LinearCrossEntropyStep::d_weight)) of_d_weight += rows * classes, ++of_weight.all;
    ++rounds.all;
    REQUIRE(rounds.all < 10000);
  } while (next_round_of_linear_cross_entropy(launch.spec, site_of(launch.on_cpu), launch.bytes(), grids));
  CHECK(of_d_hidden == args.tokens * launch.spec.vocab_size);
  CHECK(of_d_weight == args.tokens * launch.spec.vocab_size);
  rounds.most_of_a_step = std::max(of_hidden.all, of_weight.all);
  return rounds;
}

}  // namespace

TEST_CASE("linear_cross_entropy: memory stays within what the task allows") {
  // 8192 tokens, hidden size 4096, a vocabulary of 128256.
  Launch forward{spec_of(LossMode::forward_only), packed_args(8192)};
  CHECK(static_cast<Index>(forward.workspace().value()) <= 64 * kMiB);
  Launch recompute{spec_of(LossMode::recompute), packed_args(8192)};
  CHECK(static_cast<Index>(recompute.workspace().value()) <= 64 * kMiB);
  recompute.spec.d_weight_dtype = bf16;  // though it is summed up in f32
  CHECK(static_cast<Index>(recompute.workspace().value()) <= 64 * kMiB);
  for (const Index budget : {64 * kMiB, 300 * kMiB, 1024 * kMiB, 4096 * kMiB}) {
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      Launch launch{spec_of(mode), packed_args(8192)};
      launch.args.workspace_budget = budget;
      CHECK(static_cast<Index>(launch.workspace().value()) <= budget);
      check_rounds(launch);
    }
  }
}

TEST_CASE("linear_cross_entropy: a few tokens take little memory, and shards of many are merged") {
  Launch one{spec_of(LossMode::gradient_in_forward), packed_args(1)};
  CHECK(static_cast<Index>(one.workspace().value()) <= 8 * kMiB);
  for (const bool on_cpu : {false, true}) {
    for (const Index tokens : {1, 2048, 1'000'000}) {
      Launch merge{normalized({.mode = LossMode::merge}), packed_args(tokens), on_cpu};
      merge.args.shards = 2;
      merge.args.vocab_total = 1000;
      CHECK(static_cast<Index>(merge.workspace().value()) <= 64 * tokens + kMiB);
      CHECK(merge.prepare().has_value());
    }
  }
}

TEST_CASE("linear_cross_entropy: the workspace of a launch is what it says, and no less") {
  for (const bool on_cpu : {false, true}) {
    for (const LossMode mode : {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute}) {
      for (const Index tokens : {0, 1, 100, 5000}) {
        Launch launch{spec_of(mode), packed_args(tokens), on_cpu};
        const auto bytes = static_cast<Index>(launch.workspace().value());
        launch.args.workspace_bytes = bytes;
        Launch short_of_it = launch;
        CHECK(launch.prepare().has_value());
        short_of_it.args.workspace_bytes = bytes - 1;
        CHECK(short_of_it.message() == "linear_cross_entropy: workspace_bytes is " +
                                           std::to_string(bytes - 1) + ", this launch needs " +
                                           std::to_string(bytes));
        // What lies in it lies in it.
        const auto begin = reinterpret_cast<std::uintptr_t>(launch.args.workspace);
        for (const void* pointer :
             {static_cast<const void*>(launch.args.totals), static_cast<const void*>(launch.args.slab),
              static_cast<const void*>(launch.args.d_hidden_sums),
              static_cast<const void*>(launch.args.d_weight_sums)}) {
          const auto at = reinterpret_cast<std::uintptr_t>(pointer);
          if (pointer != nullptr) CHECK((at >= begin && at < begin + static_cast<std::uintptr_t>(bytes)));
        }
      }
    }
  }
}

TEST_CASE("linear_cross_entropy: sums lie in the workspace only where they must") {
  constexpr Index kTokens = 65536;
  Launch launch{spec_of(LossMode::gradient_in_forward), packed_args(kTokens)};
  REQUIRE(launch.prepare());
  CHECK(launch.args.chunk_rows < kTokens);
  CHECK(launch.args.d_weight_sums == nullptr);  // f32: in place
  launch.spec.d_weight_dtype = bf16;
  REQUIRE(launch.prepare());
  CHECK(launch.args.d_weight_sums != nullptr);
  launch.args.workspace_budget = Index{64} << 30;  // one chunk has all
  REQUIRE(launch.prepare());
  CHECK(launch.args.chunk_rows >= kTokens);
  CHECK(launch.args.d_weight_sums == nullptr);
  launch.args.workspace_budget = 0;
  launch.spec.accumulator_dtype = bf16;
  REQUIRE(launch.prepare());
  CHECK(launch.args.d_weight_sums == nullptr);

  Launch recompute{spec_of(LossMode::recompute), packed_args(8192)};
  REQUIRE(recompute.prepare());
  CHECK(recompute.args.chunk_classes < 128256);
  CHECK(recompute.args.d_hidden_sums != nullptr);
  recompute.spec.store_d_hidden = false;
  REQUIRE(recompute.prepare());
  CHECK(recompute.args.d_hidden_sums == nullptr);
}

TEST_CASE("linear_cross_entropy: logits are made twice only where there is no room for sums") {
  const auto rounds_within = [](DType d_weight, Index budget, bool on_cpu = false) {
    Launch launch{spec_of(LossMode::recompute), packed_args(8192), on_cpu};
    launch.spec.d_weight_dtype = d_weight;
    launch.args.workspace_budget = budget;
    const Rounds rounds = check_rounds(launch);
    const bool twice = rounds.all > rounds.most_of_a_step;
    REQUIRE(launch.prepare());
    CHECK((launch.args.sweep == 1) == twice);
    if (twice) CHECK(launch.args.d_weight_sums == nullptr);
    return twice;
  };
  CHECK_FALSE(rounds_within(f32, 16 * kMiB));  // sums are in d_weight
  CHECK(rounds_within(bf16, 16 * kMiB));
  CHECK(rounds_within(bf16, 0));  // 64 MiB
  // d_hidden's sums take 128 MiB, but with them come a thousand small chunks.
  CHECK(rounds_within(bf16, 132 * kMiB));
  CHECK_FALSE(rounds_within(bf16, 300 * kMiB));
  // Memory that the sums of d_weight would fit into does not make it worse.
  CHECK_FALSE(rounds_within(bf16, 2500 * kMiB));

  // A CPU's chunks hold their rows of hidden as floats besides; it takes the memory unless it is told not to.
  CHECK(rounds_within(bf16, 200 * kMiB, true));
  CHECK_FALSE(rounds_within(bf16, 0, true));

  Launch one_side{spec_of(LossMode::recompute), packed_args(8192)};
  one_side.spec.d_weight_dtype = bf16;
  one_side.spec.store_d_hidden = false;
  REQUIRE(one_side.prepare());
  CHECK(one_side.args.sweep == 0);
  CHECK(one_side.args.d_weight_sums == nullptr);
}

TEST_CASE("linear_cross_entropy: without a budget, chunks of many tokens have blocks for all processors") {
  for (const Index tokens : {300, 8192, 32768, 131072}) {
    for (const std::int64_t hidden : {512, 1024, 4096}) {
      for (const bool store_d_hidden : {false, true}) {
        LinearCrossEntropySpec spec{.hidden_size = hidden, .vocab_size = 128256, .mode = LossMode::recompute};
        spec.d_weight_dtype = bf16;
        spec.store_d_hidden = store_d_hidden;
        Launch launch{normalized(spec), packed_args(tokens)};
        REQUIRE(launch.prepare());
        INFO(tokens << " tokens, hidden_size " << hidden << ", chunks of " << launch.args.chunk_classes);
        const auto steps = steps_of(LossMode::recompute);
        const auto at = std::ranges::find(steps, LinearCrossEntropyStep::d_weight) - steps.begin();
        // Two blocks for each; half of that where a sweep more would take as long.
        CHECK(launch.prepare().value()[static_cast<std::size_t>(at)].x >=
              (store_d_hidden ? 132 : 2 * 132 * 4 / 5));
      }
    }
  }
}

TEST_CASE("linear_cross_entropy: the smallest chunk is as small as a launch says") {
  for (const bool on_cpu : {false, true}) {
    for (const LossMode mode : {LossMode::gradient_in_forward, LossMode::recompute}) {
      for (const auto& [hidden, vocab] : {std::pair<std::int64_t, std::int64_t>{4096, 200}, {64, 50257}}) {
        for (const DType d_weight : {f32, bf16}) {
          LinearCrossEntropySpec spec{.hidden_size = hidden, .vocab_size = vocab, .mode = mode};
          spec.d_weight_dtype = d_weight;
          Launch launch{normalized(spec), packed_args(300), on_cpu};
          launch.args.workspace_budget = 1;
          const std::string refused = launch.message();
          const std::size_t at = refused.find("the smallest chunk takes ");
          REQUIRE(at != std::string::npos);
          const Index least = std::stoll(refused.substr(at + 25));
          INFO(refused);
          launch.args.workspace_budget = least;
          CHECK(launch.prepare().has_value());
          launch.args.workspace_budget = least - 1;
          CHECK_FALSE(launch.prepare().has_value());
        }
      }
    }
  }
}

TEST_CASE("linear_cross_entropy: what a launch refuses") {
  const auto message = [](auto change, LossMode mode = LossMode::gradient_in_forward) {
    Launch launch{spec_of(mode), packed_args(100)};
    change(launch);
    return launch.message();
  };
  CHECK(message([](Launch& l) { l.args.tokens = -1; }) ==
        "linear_cross_entropy: tokens is -1, allowed are 0 to 2^31 - 256");
  CHECK(message([](Launch& l) { l.args.tokens = Index{1} << 31; }) ==
        "linear_cross_entropy: tokens is 2147483648, allowed are 0 to 2^31 - 256");
  CHECK(message([](Launch& l) { l.args.hidden = nullptr; }).find("hidden") != std::string::npos);
  CHECK(message([](Launch& l) { l.args.weight_stride = 4095; }) ==
        "linear_cross_entropy: weight_stride is 4095 elements, expected at least hidden_size, 4096");
  CHECK(message([](Launch& l) { l.args.weight_stride = 4097; }) ==
        "linear_cross_entropy: weight_stride is 8194 bytes, no multiple of the spec's alignment of 16");
  CHECK(message([](Launch& l) {
          l.args.workspace_budget = 5;
        }).starts_with("linear_cross_entropy: workspace_budget is 5 bytes, the smallest chunk takes "));
  CHECK(message([](Launch& l) { l.args.workspace_budget = -5; }) ==
        "linear_cross_entropy: workspace_budget is -5 bytes");
  CHECK(message([](Launch& l) {
          l.spec.has_label_smoothing = true;
          l.args.label_smoothing = 1.5f;
        }) == "linear_cross_entropy: label_smoothing is 1.5, it must be 0 to 1");
  CHECK(message([](Launch& l) {
          l.spec.has_soft_cap = true;
          l.args.soft_cap = 0;
        }) == "linear_cross_entropy: soft_cap is 0, it must be finite and above 0");
  CHECK(message([](Launch& l) {
          l.spec.has_temperature = true;
          l.args.temperature = std::numeric_limits<float>::infinity();
        }) == "linear_cross_entropy: temperature is inf, it must be finite and above 0");
  CHECK(message([](Launch& l) {
          l.spec.has_z_loss = true;
          l.args.lse_square_scale = -1;
        }) == "linear_cross_entropy: lse_square_scale is -1, it must be finite and not negative");
  CHECK(message([](Launch& l) { l.args.lse_in = nullptr; }, LossMode::recompute).find("lse_in") !=
        std::string::npos);
  for (const bool upstream : {false, true}) {
    const auto null = [&](Launch& l) {
      l.spec.has_entropy_gradient = true;
      (upstream ? l.args.entropy_upstream : l.args.entropy_in) = nullptr;
    };
    CHECK(message(null, LossMode::recompute) == (upstream ? "linear_cross_entropy: entropy_upstream is null"
                                                          : "linear_cross_entropy: entropy_in is null"));
  }
  const auto shard = [](Launch& l) {
    l.spec.vocab_parallel = true;
    l.args.vocab_first = 5;
    l.args.vocab_total = 128260;
  };
  CHECK(
      message(shard, LossMode::forward_only) ==
      "linear_cross_entropy: the shard's 128256 classes begin at vocab_first, 5, but vocab_total is 128260");
  CHECK(message([](Launch& l) { l.spec.vocab_parallel = true; }, LossMode::recompute) ==
        "linear_cross_entropy: vocab_total is 0, allowed are 1 to 2^24: classes of all shards");
}

TEST_CASE("linear_cross_entropy: tensors that a spec does not have may be null") {
  Launch launch{spec_of(LossMode::gradient_in_forward), packed_args(100)};
  LinearCrossEntropyArgs& args = launch.args;
  args.bias = args.d_bias = nullptr;
  args.class_weights = args.upstream = args.lse_in = args.target_logits_in = nullptr;
  args.entropy_in = args.entropy_upstream = nullptr;
  args.losses = args.z_loss = args.target_logits = args.entropy = args.accuracy = args.partials = nullptr;
  args.argmax = nullptr;
  CHECK(launch.prepare().has_value());
  args.tokens = 0;
  args.hidden = args.weight = args.targets = args.d_hidden = nullptr;
  args.lse = nullptr;
  CHECK(launch.prepare().has_value());
}

TEST_CASE("linear_cross_entropy: every argument that is listed is one that a launch reads") {
  for (const LossMode mode : {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute}) {
    LinearCrossEntropySpec spec = spec_of(mode);
    spec.has_entropy_gradient = mode == LossMode::recompute;
    const auto arguments = arguments_of_linear_cross_entropy(spec);
    for (const Argument& argument : arguments) {
      if (!argument.required || argument.kind == ArgumentKind::scalar) continue;
      if (argument.kind == ArgumentKind::workspace) continue;
      Launch launch{spec, packed_args(100)};
      INFO(argument.name);
      const void* null = nullptr;
      std::memcpy(launch.bytes().data() + argument.offset, &null, sizeof null);
      CHECK(launch.message().find(std::string(argument.name)) != std::string::npos);
    }
  }
}
