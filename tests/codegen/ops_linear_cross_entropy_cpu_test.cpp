#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "codegen/clang_compiler.h"
#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"
#include "codegen/render.h"
#include "tests/codegen/linear_cross_entropy_layout.h"
#include "tests/support/catch.h"

using namespace lathe;
using Mode = LinearCrossEntropyMode;
using Step = codegen::LinearCrossEntropyStep;

namespace {

constexpr Mode kModes[] = {Mode::forward_only, Mode::gradient_in_forward, Mode::recompute, Mode::merge};

LinearCrossEntropySpec normalized(const LinearCrossEntropySpec& spec) {
  return std::get<LinearCrossEntropySpec>(codegen::normalize_linear_cross_entropy(spec).value());
}

LinearCrossEntropySpec spec_of(Mode mode, std::int64_t hidden_size = 1024, std::int64_t vocab_size = 32000) {
  if (mode == Mode::merge) return normalized({.mode = mode});
  return normalized({.hidden_size = hidden_size, .vocab_size = vocab_size, .mode = mode});
}

codegen::RenderPlan plan_of(const LinearCrossEntropySpec& spec) {
  return codegen::plan_linear_cross_entropy_cpu(spec, Target::parse("cpu:x86-64").value()).value();
}

Index number_of(const codegen::RenderPlan& plan, std::string_view name) {
  const auto at = std::find_if(plan.parameters.begin(), plan.parameters.end(),
                               [&](const auto& parameter) { return parameter.first == name; });
  return at == plan.parameters.end() ? -1 : std::stoll(at->second);
}

LinearCrossEntropyArgs divided(const LinearCrossEntropySpec& spec, Index tokens, Index budget = 0) {
  const codegen::RenderPlan plan = plan_of(spec);
  LinearCrossEntropyArgs args{.tokens = tokens, .workspace_budget = budget};
  REQUIRE(codegen::divide_linear_cross_entropy(spec, {.entries = plan.entries, .processors = 2}, args));
  return args;
}

std::uint64_t blocks_of(const LinearCrossEntropySpec& spec, Step step, const LinearCrossEntropyArgs& args) {
  return codegen::grid_on_cpu(spec, step, args).x;
}

/// Beyond that, what a CPU's panels of rows take.
std::string assertions_of_panels(const LinearCrossEntropyArgs& args) {
  const auto rows = static_cast<std::size_t>(args.chunk_rows);
  const std::size_t floats = tests::distance(args.packed_hidden, args.slab) / sizeof(float) / rows;
  return tests::asserted(fmt::format("{} % kPanelRows == 0", rows)) +
         tests::asserted(fmt::format("kPaddedHidden <= {}", floats)) +
         tests::asserted(fmt::format("{} % kTileClasses == 0", args.slab_stride));
}

}  // namespace

TEST_CASE("linear_cross_entropy: each mode's steps are entry points for a CPU") {
  for (const Mode mode : kModes) {
    const auto plan = plan_of(spec_of(mode));
    const auto steps = codegen::steps_of(mode);
    REQUIRE(plan.entries.size() == steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
      CHECK(plan.entries[i].name == codegen::entry_name(steps[i]));
      CHECK(plan.entries[i].launch.block == codegen::Dim3{});
    }
  }
}

TEST_CASE("linear_cross_entropy: the kernel for a CPU is told the blocks that its grids are made of") {
  const auto spec = spec_of(Mode::gradient_in_forward);
  const auto plan = plan_of(spec);
  const auto tiles = codegen::tiles_on_cpu(spec);
  CHECK(number_of(plan, "kTileClasses") == tiles.classes);
  CHECK(number_of(plan, "kPackedRows") == tiles.rows);
  const auto args = divided(spec, 512);
  const auto groups = static_cast<std::uint64_t>(args.chunk_rows / number_of(plan, "kGroupRows"));
  const auto slices = static_cast<std::uint64_t>(1024 / number_of(plan, "kSliceColumns"));
  CHECK(blocks_of(spec, Step::d_hidden, args) == groups * slices);
  CHECK(blocks_of(spec, Step::logits, args) == groups * static_cast<std::uint64_t>(args.parts));
  CHECK(blocks_of(spec, Step::gradient, args) == blocks_of(spec, Step::logits, args));
  CHECK(blocks_of(spec, Step::d_weight, args) == static_cast<std::uint64_t>(args.parts));
  CHECK(blocks_of(spec, Step::reduce, args) == 1);
}

TEST_CASE("linear_cross_entropy: on a CPU one block lists the rows, many pack those of later chunks") {
  const auto spec = spec_of(Mode::gradient_in_forward);
  auto args = divided(spec, 512);
  CHECK(blocks_of(spec, Step::rows, args) == 1);
  args.first_row = args.chunk_rows;
  CHECK(blocks_of(spec, Step::rows, args) == static_cast<std::uint64_t>(args.chunk_rows / 32));
  CHECK(blocks_of(spec, Step::finish, args) == static_cast<std::uint64_t>(args.chunk_rows / 32));
}

TEST_CASE("linear_cross_entropy: a CPU's chunks have 128 rows, or as many as fit into 8 MiB") {
  CHECK(divided(spec_of(Mode::gradient_in_forward), 512).chunk_rows == 128);
  CHECK(divided(spec_of(Mode::gradient_in_forward), 100).chunk_rows == 128);
  CHECK(divided(spec_of(Mode::gradient_in_forward), 5).chunk_rows == 32);
  CHECK(divided(spec_of(Mode::gradient_in_forward, 1024, 128256), 8192).chunk_rows == 128);
  CHECK(divided(spec_of(Mode::gradient_in_forward, 64, 1000), 2048).chunk_rows == 2048);
  CHECK(divided(spec_of(Mode::recompute, 4096, 128256), 8192).chunk_rows >= 128);
}

TEST_CASE("linear_cross_entropy: the losses of many tokens take a CPU's forward pass several chunks") {
  const auto spec = spec_of(Mode::forward_only, 4096, 128256);
  const auto args = divided(spec, 8192);
  CHECK(args.chunk_rows >= 128);
  CHECK(args.chunk_rows < 8192);
  CHECK(args.chunk_classes == 128256);
  CHECK(args.slab == nullptr);
  CHECK(blocks_of(spec, Step::logits, args) >= static_cast<std::uint64_t>(args.parts));
}

TEST_CASE("linear_cross_entropy: parts on a CPU depend on the classes only, and none is empty") {
  const auto spec = spec_of(Mode::forward_only);
  CHECK(codegen::forward_parts_on_cpu(spec, 1) == codegen::forward_parts_on_cpu(spec, 100000));
  for (const std::int64_t classes : {1, 96, 97, 32000, 1 << 24}) {
    const auto sized = spec_of(Mode::forward_only, 8, classes);
    const Index tile = codegen::tiles_on_cpu(sized).classes;
    CHECK(codegen::forward_parts_on_cpu(sized, 7) <= (classes + tile - 1) / tile);
    CHECK(codegen::forward_parts_on_cpu(sized, 7) >= 1);
  }
}

TEST_CASE("linear_cross_entropy: kernels for CPUs see the workspace as it is laid out") {
  const auto compiler = codegen::make_clang_compiler();
  for (const char* name : {"cpu:x86-64", "cpu:x86-64-v4"}) {
    const Target target = Target::parse(name).value();
    for (const Mode mode : kModes) {
      const auto spec = tests::spec_with_some_part_fields(mode, 1000);
      const auto plan = codegen::plan_linear_cross_entropy_cpu(spec, target).value();
      const auto args = tests::divided_for_layout(spec, plan);
      std::string assertions = tests::assertions_of_workspace(spec, args);
      if (mode == Mode::gradient_in_forward) assertions += assertions_of_panels(args);
      tests::check_compiles(*compiler, spec, target, assertions);
    }
  }
}

TEST_CASE("linear_cross_entropy: the spec's choices compile for CPUs without a warning", "[slow]") {
  const auto compiler = codegen::make_clang_compiler();
  const auto library = codegen::TemplateLibrary::embedded();
  const Target target =
      Target::parse(GENERATE("cpu:x86-64", "cpu:x86-64-v2", "cpu:x86-64-v3", "cpu:x86-64-v4")).value();
  unsigned number = 0;
  for (const Mode mode : kModes) {
    for (const DType dtype : {bf16, f16, f32}) {
      const bool is_merge = mode == Mode::merge;
      LinearCrossEntropySpec spec{.hidden_size = is_merge ? 0 : (number % 2 == 0 ? 3 : 129),
                                  .vocab_size = is_merge ? 0 : 1000,
                                  .dtype = dtype,
                                  .mode = mode};
      // The other choices in turn.
      spec.reduction = std::array{LossReduction::mean, LossReduction::sum, LossReduction::none}[number % 3];
      spec.vocab_parallel = mode != Mode::gradient_in_forward && number % 2 == 0;
      spec.has_bias = number % 2 == 0;
      if (number % 4 == 0) spec.bias_dtype = f32;
      spec.has_class_weights = number % 3 != 0;
      spec.has_label_smoothing = number % 3 != 1;
      spec.has_z_loss = spec.store_z_loss = number % 2 == 1;
      spec.has_soft_cap = number % 3 != 2;
      spec.has_temperature = number % 2 == 0;
      spec.scales_by_probability = number % 5 == 1;
      spec.upstream =
          std::array{UpstreamGradient::one, UpstreamGradient::scalar, UpstreamGradient::token}[number % 3];
      spec.has_entropy_gradient = mode == Mode::recompute && dtype != bf16;
      spec.store_losses = spec.store_lse = spec.store_entropy = number % 2 == 0;
      spec.store_argmax = spec.store_accuracy = spec.store_target_logits = number % 3 == 0;
      spec.d_weight_dtype = number % 2 == 0 ? f32 : dtype;
      spec.accumulate_d_weight = number % 3 == 0;
      if (number % 4 == 3) spec.d_hidden_dtype = f32;
      ++number;
      const auto source = codegen::render(normalized(spec), target, library);
      REQUIRE(source.has_value());
      const auto binary = compiler->compile(*source, target);
      INFO(source->text);
      REQUIRE(binary.has_value());
      CHECK(binary->log.empty());
    }
  }
}
