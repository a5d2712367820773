// How linear_cross_entropy is rendered for the CPU.
#include <fmt/format.h>

#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"

namespace lathe::codegen {

namespace {

using Step = LinearCrossEntropyStep;

Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}

}  // namespace

LinearCrossEntropyTiles tiles_on_cpu(const LinearCrossEntropySpec&) {
  return {.rows = 16, .classes = 64};
}

Index forward_parts_on_cpu(const LinearCrossEntropySpec& spec, Index tokens) {
  return std::min<Index>(divide_up(spec.vocab_size, 64), tokens > 0 ? 64 : 1);
}

Grid grid_on_cpu(const LinearCrossEntropySpec&, Step, const LinearCrossEntropyArgs&) {
  return {};
}

Result<RenderPlan> plan_linear_cross_entropy_cpu(const LinearCrossEntropySpec&, const Target& target) {
  return Error{.code = ErrorCode::unsupported,
               .stage = Stage::render,
               .message = fmt::format("linear_cross_entropy: there is no kernel for {} yet", target.text())};
}

}  // namespace lathe::codegen
