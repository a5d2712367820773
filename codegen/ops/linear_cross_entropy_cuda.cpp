// How linear_cross_entropy is rendered for GPUs.
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

LinearCrossEntropyTiles tiles_on_gpu(const LinearCrossEntropySpec&) {
  return {.rows = 128, .classes = 128};
}

Index forward_parts_on_gpu(const LinearCrossEntropySpec& spec, Index tokens, int processors) {
  return std::max<Index>(
      1, std::min(divide_up(spec.vocab_size, 128), divide_up(2 * processors, divide_up(tokens, 128) + 1)));
}

Grid grid_on_gpu(const LinearCrossEntropySpec&, Step, const LinearCrossEntropyArgs&) {
  return {};
}

Result<RenderPlan> plan_linear_cross_entropy_cuda(const LinearCrossEntropySpec&, const Target& target) {
  return Error{.code = ErrorCode::unsupported,
               .stage = Stage::render,
               .message = fmt::format("linear_cross_entropy: there is no kernel for {} yet", target.text())};
}

}  // namespace lathe::codegen
