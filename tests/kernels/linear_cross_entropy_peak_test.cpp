// What memory launches of linear_cross_entropy take, measured: that of the workspace and nothing else.
#include <cstddef>
#include <vector>

#include <lathe/runtime.h>

#include "tests/support/catch.h"
#include "tests/support/peak_memory.h"
#include "tests/support/test_targets.h"

using namespace lathe;
using namespace lathe::tests;
using LossMode = LinearCrossEntropyMode;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Shape {
  Index tokens;
  std::int64_t hidden;
  std::int64_t vocab;
  std::size_t logits() const { return static_cast<std::size_t>(tokens * vocab) * 2; }  ///< in bytes
};

LinearCrossEntropySpec spec_of(LossMode mode, const Shape& shape) {
  return {.hidden_size = shape.hidden, .vocab_size = shape.vocab, .mode = mode};
}

Runtime* cpu() {
  for (const TestTarget& target : test_targets()) {
    if (target.runtime && target.runtime->target().backend == Backend::cpu) return target.runtime.get();
  }
  return nullptr;
}

/// Memory of one launch, all of it touched; small numbers.
class Tensors {
 public:
  explicit Tensors(Runtime& runtime) : runtime_(runtime) {}

  void* add(std::size_t bytes, int byte = 0) {
    const std::vector<std::byte> values(bytes, static_cast<std::byte>(byte));
    buffers_.push_back(runtime_.allocate(bytes).value());
    REQUIRE(runtime_.copy_to_device(buffers_.back().data(), values.data(), bytes, {}).has_value());
    return buffers_.back().data();
  }

 private:
  Runtime& runtime_;
  std::vector<Buffer> buffers_;
};

LinearCrossEntropyArgs args_of(const LinearCrossEntropySpec& spec, const Shape& shape, Tensors& tensors) {
  const auto elements = [&](Index rows) { return static_cast<std::size_t>(rows * shape.hidden); };
  const auto tokens = static_cast<std::size_t>(shape.tokens);
  LinearCrossEntropyArgs args{.tokens = shape.tokens};
  args.hidden = tensors.add(elements(shape.tokens) * 2, 0x3C);  // 0.0115
  args.weight = tensors.add(elements(shape.vocab) * 2, 0x3D);
  args.targets = tensors.add(tokens * 8);
  args.lse_in = static_cast<const float*>(tensors.add(tokens * 4, 0x41));  // 12.08
  args.loss = static_cast<float*>(tensors.add(4));
  args.d_hidden = tensors.add(elements(shape.tokens) * 2);
  args.d_weight = tensors.add(elements(shape.vocab) * size_of(spec.d_weight_dtype));
  return args;
}

struct Memory {
  std::size_t workspace;
  std::size_t growth;  ///< while the kernel was launched, its workspace being there before
};

/// Of the second launch: the first begins threads, which keep their stacks.
Memory memory_of(Runtime& runtime, const LinearCrossEntropySpec& spec, const Shape& shape, Index budget) {
  const auto kernel = runtime.get(spec).value();
  Tensors tensors(runtime);
  LinearCrossEntropyArgs args = args_of(spec, shape, tensors);
  args.workspace_budget = budget;
  const std::size_t workspace = kernel.workspace_bytes(args).value();
  args.workspace = tensors.add(workspace);
  args.workspace_bytes = static_cast<Index>(workspace);
  const auto launch = [&] {
    REQUIRE(kernel.launch(args, {}).has_value());
    REQUIRE(runtime.synchronize({}).has_value());
  };
  launch();
  const PeakMemory peak;
  if (!peak.is_watching()) WARN("this system does not say how much memory was taken");
  launch();
  return {workspace, peak.is_watching() ? peak.growth() : 0};
}

}  // namespace

TEST_CASE("memory that a process takes is seen, and what it had is not") {
  const std::vector<std::byte> before(64 * kMiB, std::byte{1});
  {
    const std::vector<std::byte> gone(48 * kMiB, std::byte{1});
  }
  const PeakMemory peak;
  if (!peak.is_watching()) {
    WARN("skipped: this system does not say how much memory was taken");
    return;
  }
  CHECK(peak.growth() < kMiB);
  const std::vector<std::byte> little(2 * kMiB, std::byte{1});
  CHECK(peak.growth() >= kMiB);
  {
    const std::vector<std::byte> soon_gone(32 * kMiB, std::byte{1});
  }
  CHECK(peak.growth() >= 33 * kMiB);
  CHECK(peak.growth() < 64 * kMiB);
  CHECK(little.back() == before.back());
}

TEST_CASE("linear_cross_entropy: a launch takes no memory but its workspace") {
  Runtime* const runtime = cpu();
  if (runtime == nullptr) {
    WARN("skipped: no CPU among the targets");
    return;
  }
  const Shape shape{.tokens = 192, .hidden = 64, .vocab = 50257};
  for (const LossMode mode : {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute}) {
    LinearCrossEntropySpec spec = spec_of(mode, shape);
    // A sum in floats would take 12 MiB more in the one, and takes 48 KiB in the other.
    if (mode == LossMode::recompute) spec.d_weight_dtype = bf16;
    const Memory memory = memory_of(*runtime, spec, shape, Index{1} << 22);
    INFO("mode " << static_cast<int>(mode) << ", growth " << memory.growth);
    CHECK(memory.workspace <= 4 * kMiB);
    CHECK(memory.growth <= kMiB);
    CHECK(memory.workspace + memory.growth < shape.logits() / 3);
  }
}

// Minutes and 5 GB: run by name.
TEST_CASE("large: memory of linear_cross_entropy", "[.large]") {
  Runtime* const runtime = cpu();
  REQUIRE(runtime != nullptr);
  const Shape shape{.tokens = 8192, .hidden = 4096, .vocab = 128256};
  struct Case {
    LossMode mode;
    DType d_weight;
    Index budget;
  };
  // On a CPU a chunk has its rows of hidden as floats besides: 128 MiB for all of them.
  for (const Case& test : {Case{LossMode::forward_only, f32, 64},
                           {LossMode::recompute, f32, 64},
                           {LossMode::recompute, bf16, 64 + 128},
                           {LossMode::gradient_in_forward, f32, 512}}) {
    LinearCrossEntropySpec spec = spec_of(test.mode, shape);
    spec.d_weight_dtype = test.d_weight;
    const Memory memory = memory_of(*runtime, spec, shape, test.budget << 20);
    WARN("mode " << static_cast<int>(test.mode) << ", d_weight of " << size_of(test.d_weight)
                 << " bytes: workspace " << memory.workspace << " bytes, besides " << memory.growth);
    CHECK(memory.workspace + memory.growth <= (static_cast<std::size_t>(test.budget) + 1) * kMiB);
  }
}
