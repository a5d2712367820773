// linear_cross_entropy's kernels for GPUs agree with the host code on their workspace and their blocks.
#include <cstddef>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tests/codegen/linear_cross_entropy_layout.h"
#include "tests/codegen/nvrtc_fixture.h"
#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;
using namespace lathe::tests;
using LossMode = LinearCrossEntropyMode;
using Step = LinearCrossEntropyStep;

namespace {

/// What an entry point's facts, and its grid for 16 tokens, say of its blocks.
std::string assertions_of_block(const LinearCrossEntropySpec& spec, Step step, const LaunchFacts& facts,
                                const LinearCrossEntropyArgs& args) {
  const auto threads = [&](std::string_view name) {
    return asserted(fmt::format("{} == {}", name, facts.block.x));
  };
  const auto work = [&](std::string_view name) {
    return asserted(fmt::format("{} == {}", name, facts.work_per_block));
  };
  switch (step) {
    case Step::rows:
      return threads("kRowsThreads");
    case Step::reduce:
      return threads("kReduceThreads");
    case Step::finish:
      return threads("kFinishThreads") +
             (spec.mode == LossMode::recompute ? work("kFinishThreads") : work("kFinishRows"));
    case Step::gradient:
      return threads("kGradientThreads") + work("kGradientRows") +
             asserted(fmt::format("{} * kGradientTiles == 1000", grid_on_gpu(spec, step, args).x));
    case Step::d_bias:
      return threads("kBiasThreads") + work("kBiasColumns");
    case Step::logits:
    case Step::d_hidden:
    case Step::d_weight:
      break;
  }
  return threads("Tile::kThreads") + work("Tile::kRows") + work("Tile::kColumns");
}

}  // namespace

TEST_CASE("linear_cross_entropy: kernels for GPUs see the workspace as it is laid out, and their blocks") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const Target target{Backend::cuda, "sm_80", {}};
  for (const LossMode mode :
       {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute, LossMode::merge}) {
    const LinearCrossEntropySpec spec = spec_with_some_part_fields(mode, 1024);
    const RenderPlan plan = plan_linear_cross_entropy_cuda(spec, target).value();
    const LinearCrossEntropyArgs args = divided_for_layout(spec, plan);
    std::string assertions = assertions_of_workspace(spec, args);
    const auto steps = steps_of(mode);
    for (std::size_t i = 0; i < steps.size(); ++i)
      assertions += assertions_of_block(spec, steps[i], plan.entries[i].launch, args);
    check_compiles(*nvrtc, spec, target, assertions);
  }
}
