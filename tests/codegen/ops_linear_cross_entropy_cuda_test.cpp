// How linear_cross_entropy is rendered for GPUs: templates, grids, and into how many parts classes are
// divided where logits are not stored.
#include "codegen/ops/linear_cross_entropy.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/ops/linear_cross_entropy_steps.h"
#include "codegen/render.h"
#include "tests/support/catch.h"

using lathe::Backend, lathe::Target, lathe::Index;
using lathe::bf16, lathe::f32;
using lathe::LinearCrossEntropyArgs, lathe::LinearCrossEntropySpec;
using namespace lathe::codegen;
using LossMode = lathe::LinearCrossEntropyMode;
using Step = LinearCrossEntropyStep;

namespace {

const Target kHopper{Backend::cuda, "sm_90a", {}};

LinearCrossEntropySpec normalized(const LinearCrossEntropySpec& spec) {
  return std::get<LinearCrossEntropySpec>(normalize_linear_cross_entropy(spec).value());
}

LinearCrossEntropySpec spec_of(LossMode mode) {
  if (mode == LossMode::merge) return normalized({.mode = mode});
  return normalized({.hidden_size = 4096, .vocab_size = 128256, .mode = mode});
}

std::string value_of(const RenderPlan& plan, std::string_view name) {
  const auto found = std::find_if(plan.parameters.begin(), plan.parameters.end(),
                                  [&](const auto& parameter) { return parameter.first == name; });
  return found == plan.parameters.end() ? "none" : found->second;
}

/// Of a launch with so many tokens, in its first round.
LinearCrossEntropyArgs divided(const LinearCrossEntropySpec& spec, Index tokens) {
  LinearCrossEntropyArgs args{.tokens = tokens};
  REQUIRE(divide_linear_cross_entropy(spec, {.entries = {}, .processors = 132}, args).has_value());
  return args;
}

}  // namespace

TEST_CASE("linear_cross_entropy on GPUs: each mode has a template and its steps' entries") {
  const TemplateLibrary library = TemplateLibrary::embedded();
  for (const LossMode mode :
       {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute, LossMode::merge}) {
    const LinearCrossEntropySpec spec = spec_of(mode);
    const KernelSource source = render(spec, kHopper, library).value();
    const auto steps = steps_of(mode);
    REQUIRE(source.entries.size() == steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
      INFO(source.name << ", " << source.entries[i].name);
      CHECK(source.entries[i].name == entry_name(steps[i]));
      CHECK(source.text.find(" " + entry_name(steps[i]) + "(") != std::string::npos);
    }
  }
}

TEST_CASE("linear_cross_entropy on GPUs: accesses are as wide as the alignment proves") {
  LinearCrossEntropySpec spec = spec_of(LossMode::gradient_in_forward);
  CHECK(value_of(plan_linear_cross_entropy_cuda(spec, kHopper).value(), "kCopyBytes") == "16");
  spec.alignment = 4;
  CHECK(value_of(plan_linear_cross_entropy_cuda(spec, kHopper).value(), "kCopyBytes") == "4");
  spec = normalized({.hidden_size = 123, .vocab_size = 50257});
  const RenderPlan odd = plan_linear_cross_entropy_cuda(spec, kHopper).value();
  CHECK(value_of(odd, "kCopyBytes") == "2");
  CHECK(value_of(odd, "kAlignment") == "2");
}

TEST_CASE("linear_cross_entropy on GPUs: what there is no kernel for is refused") {
  LinearCrossEntropySpec spec = spec_of(LossMode::forward_only);
  spec.dtype = f32;
  const auto refused = plan_linear_cross_entropy_cuda(spec, kHopper);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == lathe::ErrorCode::unsupported);
  CHECK(refused.error().message ==
        "linear_cross_entropy: dtype f32 has no kernel for cuda:sm_90a: its products run on tensor cores");
  CHECK(refused.error().hint == "use f16 or bf16, whose products are summed up in fp32, or the CPU");
  const auto unknown =
      plan_linear_cross_entropy_cuda(spec_of(LossMode::merge), Target{Backend::cuda, "sm_35", {}});
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().message ==
        "linear_cross_entropy: cuda:sm_35 is not an architecture that Lathe knows");
  // Merge has no products.
  CHECK(plan_linear_cross_entropy_cuda(spec_of(LossMode::merge), kHopper).has_value());
}

TEST_CASE("linear_cross_entropy on GPUs: parts of the classes keep all processors at work") {
  const LinearCrossEntropySpec spec = spec_of(LossMode::forward_only);
  const auto class_tiles = Index{1002};
  for (const Index tokens : {Index{1}, Index{128}, Index{1000}, Index{4096}, Index{12800}, Index{131072}}) {
    const Index parts = forward_parts_on_gpu(spec, tokens, 132);
    const Index row_tiles = (tokens + 127) / 128;
    const Index rounds = (row_tiles * parts + 263) / 264;
    const Index longest = rounds * ((class_tiles + parts - 1) / parts);
    INFO(tokens << " tokens: " << parts << " parts");
    CHECK(parts >= (row_tiles >= 16 ? 16 : 1));
    CHECK(parts <= std::max(Index{64}, 264 / row_tiles));
    // At most a tenth more than evenly shared work.
    CHECK(longest * 264 * 10 <= row_tiles * class_tiles * 11);
  }
  const LinearCrossEntropySpec small = normalized({.hidden_size = 64, .vocab_size = 100});
  CHECK(forward_parts_on_gpu(small, 4096, 132) == 1);
  CHECK(forward_parts_on_gpu(small, 0, 0) == 1);
}

TEST_CASE("linear_cross_entropy on GPUs: grids cover the chunk") {
  const LinearCrossEntropySpec spec = spec_of(LossMode::gradient_in_forward);
  LinearCrossEntropyArgs args = divided(spec, 4096);
  REQUIRE(args.chunk_rows % 128 == 0);
  const auto row_tiles = static_cast<std::uint64_t>(args.chunk_rows / 128);
  CHECK(grid_on_gpu(spec, Step::rows, args) == Grid{1});
  CHECK(grid_on_gpu(spec, Step::reduce, args) == Grid{1});
  CHECK(grid_on_gpu(spec, Step::logits, args) == Grid{row_tiles * 1002});
  CHECK(grid_on_gpu(spec, Step::finish, args) == Grid{row_tiles * 4});
  CHECK(grid_on_gpu(spec, Step::gradient, args) == Grid{row_tiles * 8 * 126});
  CHECK(grid_on_gpu(spec, Step::d_hidden, args) == Grid{row_tiles * 32});
  CHECK(grid_on_gpu(spec, Step::d_weight, args) == Grid{1002 * 32});
  CHECK(grid_on_gpu(spec, Step::d_bias, args) == Grid{2004});
  // The last chunk has what is left.
  args.first_row = args.chunk_rows * (4095 / args.chunk_rows);
  args.tokens = args.first_row + 1;
  CHECK(grid_on_gpu(spec, Step::logits, args) == Grid{1002});

  const LinearCrossEntropySpec forward = spec_of(LossMode::forward_only);
  const LinearCrossEntropyArgs whole = divided(forward, 4096);
  CHECK(grid_on_gpu(forward, Step::logits, whole) == Grid{static_cast<std::uint64_t>(32 * whole.parts)});
}
