#include <algorithm>
#include <string>

#include "codegen/clang_compiler.h"
#include "codegen/ops/rms_norm_backward.h"
#include "codegen/render.h"
#include "tests/support/catch.h"

using namespace lathe;

namespace {

RmsNormBackwardSpec normalized(const RmsNormBackwardSpec& spec) {
  return std::get<RmsNormBackwardSpec>(codegen::normalize_rms_norm_backward(spec).value());
}

codegen::RenderPlan plan_of(const RmsNormBackwardSpec& spec) {
  return codegen::plan_rms_norm_backward_cpu(normalized(spec), Target::parse("cpu:x86-64").value()).value();
}

std::string value_of(const codegen::RenderPlan& plan, std::string_view name) {
  const auto at = std::find_if(plan.parameters.begin(), plan.parameters.end(),
                               [&](const auto& parameter) { return parameter.first == name; });
  return at == plan.parameters.end() ? "none" : at->second;
}

}  // namespace

TEST_CASE("rms_norm_backward: a strip on a CPU is some 64 K elements, and 16 rows at least") {
  CHECK(plan_of({.hidden_size = 4096}).entries[0].launch.work_per_block == 16);
  CHECK(plan_of({.hidden_size = 128}).entries[0].launch.work_per_block == 512);
  CHECK(plan_of({.hidden_size = 262144}).entries[0].launch.work_per_block == 16);
}

TEST_CASE("rms_norm_backward: partial sums on a CPU are whole vectors apart") {
  CHECK(value_of(plan_of({.hidden_size = 1}), "kPartialStride") == "32");
  CHECK(value_of(plan_of({.hidden_size = 4096}), "kPartialStride") == "4096");
  CHECK(value_of(plan_of({.hidden_size = 4097}), "kPartialStride") == "4128");
}

TEST_CASE("rms_norm_backward: the kernel is told the columns of a block that the grid is made of") {
  const auto plan = plan_of({.hidden_size = 500});
  REQUIRE(plan.entries.size() == 2);
  CHECK(value_of(plan, "kColumnsPerBlock") == std::to_string(plan.entries[1].launch.work_per_block));
  CHECK(plan_of({.hidden_size = 500, .store_dw = false}).entries.size() == 1);
}

TEST_CASE("rms_norm_backward: the spec's choices compile for CPUs without a warning", "[slow]") {
  const auto compiler = codegen::make_clang_compiler();
  const auto library = codegen::TemplateLibrary::embedded();
  const Target target = Target::parse(GENERATE("cpu:x86-64", "cpu:x86-64-v4")).value();
  const DType dtype = GENERATE(f32, f16, bf16);
  const Casting casting = GENERATE(Casting::llama, Casting::gemma, Casting::none);
  unsigned number = 0;
  for (const DType weight : {f32, f16, bf16}) {
    for (const std::int64_t hidden_size : {3, 4096 + 5}) {
      RmsNormBackwardSpec spec{.hidden_size = hidden_size, .dtype = dtype, .casting = casting};
      // The other choices in turn.
      spec.has_weight = number % 5 != 4;
      if (spec.has_weight) {
        spec.weight_dtype = weight;
        spec.weight_offset = number % 2;
        spec.dw_dtype = weight == bf16 ? f32 : weight;
        spec.accumulate_dw = number % 3 == 0;
        spec.store_dx = number % 4 != 2;
      }
      spec.heads = number % 2 == 0 ? 1 : 4;
      spec.weight_per_head = spec.has_weight && number % 4 == 1;
      spec.has_dresidual = spec.store_dx && number % 3 == 1;
      spec.load_rstd = number % 3 != 2;
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
