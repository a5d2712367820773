// How linear_cross_entropy is rendered for the CPU.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"

namespace lathe::codegen {

namespace {

using Mode = LinearCrossEntropyMode;
using Step = LinearCrossEntropyStep;

// A block's panels of floats are to fit into the second-level cache, and its thread's stack.
constexpr Index kTileClasses = 96;
constexpr Index kGroupRows = 128;
constexpr Index kSliceColumns = 64;
/// Rows that are packed, or finished, by one block: whole vectors.
constexpr Index kPackedRows = 32;
/// Parts of the classes where no slab is kept: enough for the threads of a large processor.
constexpr Index kMostParts = 256;

}  // namespace

LinearCrossEntropyTiles tiles_on_cpu(const LinearCrossEntropySpec&) {
  return {.rows = kPackedRows, .classes = kTileClasses};
}

Index forward_parts_on_cpu(const LinearCrossEntropySpec& spec, Index) {
  return std::min(divide_up(spec.vocab_size, kTileClasses), kMostParts);
}

Grid grid_on_cpu(const LinearCrossEntropySpec& spec, Step step, const LinearCrossEntropyArgs& args) {
  const auto blocks = [](Index count) { return Grid{.x = static_cast<std::uint64_t>(count)}; };
  const Index groups = divide_up(args.chunk_rows, kGroupRows);
  const Index classes = std::min(args.chunk_classes, spec.vocab_size - args.first_class);
  const Index tiles = divide_up(classes, kTileClasses);
  switch (step) {
    case Step::rows:  // the first chunk's are known when all tokens have been looked at
      return blocks(args.first_row == 0 ? 1 : args.chunk_rows / kPackedRows);
    case Step::logits:
      return blocks(groups * (spec.mode == Mode::forward_only ? args.parts : tiles));
    case Step::finish:
      return blocks(divide_up(args.chunk_rows, kPackedRows));
    case Step::gradient:
      return blocks(groups * tiles);
    case Step::d_hidden:
      return blocks(groups * divide_up(spec.hidden_size, kSliceColumns));
    case Step::d_weight:
    case Step::d_bias:
      return blocks(tiles);
    case Step::reduce:
      return blocks(1);
  }
  return {};
}

Result<RenderPlan> plan_linear_cross_entropy_cpu(const LinearCrossEntropySpec& spec, const Target&) {
  RenderPlan plan{.template_name = "cpu/linear_cross_entropy.cpp",
                  .parameters = common_linear_cross_entropy_parameters(spec),
                  .entries = {}};
  plan.parameters.emplace_back("kTileClasses", fmt::to_string(kTileClasses));
  plan.parameters.emplace_back("kGroupRows", fmt::to_string(kGroupRows));
  plan.parameters.emplace_back("kSliceColumns", fmt::to_string(kSliceColumns));
  plan.parameters.emplace_back("kPackedRows", fmt::to_string(kPackedRows));
  for (const Step step : steps_of(spec.mode)) plan.entries.push_back({entry_name(step), {}});
  return plan;
}

}  // namespace lathe::codegen
