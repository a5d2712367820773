#include <algorithm>
#include <string>

#include "codegen/clang_compiler.h"
#include "codegen/ops/rms_norm.h"
#include "codegen/render.h"
#include "tests/support/catch.h"

using lathe::bf16;
using lathe::Casting;
using lathe::DType;
using lathe::f16;
using lathe::f32;
using lathe::KernelSpec;
using lathe::Residual;
using lathe::RmsNormSpec;
using lathe::Target;
using lathe::codegen::TemplateLibrary;

namespace {

RmsNormSpec normalized(const RmsNormSpec& spec) {
  return std::get<RmsNormSpec>(lathe::codegen::normalize_rms_norm(spec).value());
}

lathe::codegen::RenderPlan plan_of(const RmsNormSpec& spec) {
  return lathe::codegen::plan_rms_norm_cpu(normalized(spec), Target::parse("cpu:x86-64").value()).value();
}

std::string value_of(const lathe::codegen::RenderPlan& plan, std::string_view name) {
  const auto at = std::find_if(plan.parameters.begin(), plan.parameters.end(),
                               [&](const auto& parameter) { return parameter.first == name; });
  return at == plan.parameters.end() ? "none" : at->second;
}

}  // namespace

TEST_CASE("a block is some 64 KB of rows, and one row at least") {
  CHECK(plan_of({.hidden_size = 4096, .dtype = bf16}).entries[0].launch.work_per_block == 8);
  CHECK(plan_of({.hidden_size = 4096, .dtype = f32}).entries[0].launch.work_per_block == 4);
  CHECK(plan_of({.hidden_size = 128, .dtype = f16}).entries[0].launch.work_per_block == 256);
  CHECK(plan_of({.hidden_size = 262144, .dtype = f32}).entries[0].launch.work_per_block == 1);
  CHECK(plan_of({.hidden_size = 1, .dtype = bf16}).entries[0].launch.work_per_block == 4096);
}

TEST_CASE("the kernel is told the rows of a block that the grid is made of") {
  const auto plan = plan_of({.hidden_size = 500, .dtype = bf16});
  CHECK(value_of(plan, "kRowsPerBlock") == std::to_string(plan.entries[0].launch.work_per_block));
}

TEST_CASE("element types are those of the spec, the weight's its own") {
  const auto plan = plan_of({.hidden_size = 64, .dtype = bf16, .weight_dtype = f32});
  CHECK(value_of(plan, "X") == "Bf16");
  CHECK(value_of(plan, "W") == "F32");
  CHECK(value_of(plan_of({.hidden_size = 64, .dtype = f16}), "W") == "F16");
}

TEST_CASE("every combination of a spec's choices compiles without a warning", "[slow]") {
  const auto compiler = lathe::codegen::make_clang_compiler();
  const TemplateLibrary library = TemplateLibrary::embedded();
  const char* const name = GENERATE("cpu:x86-64", "cpu:x86-64-v4");
  const DType dtype = GENERATE(f32, f16, bf16);
  const Casting casting = GENERATE(Casting::llama, Casting::gemma, Casting::none);
  const Residual residual = GENERATE(Residual::none, Residual::round_then_norm, Residual::norm_then_round);
  const Target target = Target::parse(name).value();
  for (const DType weight : {f32, f16, bf16}) {
    for (const std::int64_t hidden_size : {3, 4096 + 5}) {
      // One of the six has no weight; an offset changes a float weight only.
      const bool has_weight = weight != dtype || hidden_size > 3;
      RmsNormSpec spec{.hidden_size = hidden_size,
                       .dtype = dtype,
                       .has_weight = has_weight,
                       .weight_offset = has_weight && weight == f32 ? 1.0 : 0.0,
                       .casting = casting,
                       .residual = residual,
                       .store_rstd = hidden_size > 3};
      if (has_weight) spec.weight_dtype = weight;
      const auto source = lathe::codegen::render(normalized(spec), target, library);
      REQUIRE(source.has_value());
      const auto binary = compiler->compile(*source, target);
      INFO(source->text);
      REQUIRE(binary.has_value());
      CHECK(binary->log.empty());
    }
  }
}
