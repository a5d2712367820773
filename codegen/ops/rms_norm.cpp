#include "codegen/ops/rms_norm.h"

#include <string_view>

#include <fmt/format.h>

#include "codegen/field_check.h"
#include "codegen/ops/rms_norm_fields.h"
#include "codegen/ops/rms_norm_spec.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::string_view kOp = "rms_norm";

Result<void> resolve_output(RmsNormSpec& spec) {
  if (!spec.y_dtype) spec.y_dtype = spec.dtype;
  const bool is_fp8 = *spec.y_dtype == e4m3 || *spec.y_dtype == e5m2;
  if (spec.y_scale != OutputScale::none && !is_fp8) {
    return bad_spec(
        kOp, fmt::format("y_scale is {}, but y_dtype is {}", enum_name(spec.y_scale), name_of(*spec.y_dtype)),
        "only an fp8 y is scaled: set y_dtype to e4m3 or e5m2, or leave y_scale out");
  }
  // What changes nothing must not make another kernel.
  if (*spec.y_dtype == spec.dtype) spec.round_to_dtype = false;
  if (*spec.y_dtype != spec.dtype && spec.casting == Casting::none) spec.round_to_dtype = true;
  if (spec.dtype == f32) spec.round_to_dtype = false;
  return {};
}

}  // namespace

Result<KernelSpec> normalize_rms_norm(const KernelSpec& given) {
  RmsNormSpec spec = std::get<RmsNormSpec>(given);
  LATHE_CHECK(check_fields(spec));
  LATHE_CHECK(resolve_weight(kOp, spec));
  LATHE_CHECK(resolve_output(spec));
  LATHE_CHECK(resolve_alignment(kOp, spec));
  return KernelSpec(spec);
}

Result<RenderPlan> plan_rms_norm(const KernelSpec& spec, const Target& target) {
  const auto& norm = std::get<RmsNormSpec>(spec);
  return target.backend == Backend::cpu ? plan_rms_norm_cpu(norm, target) : plan_rms_norm_cuda(norm, target);
}

}  // namespace lathe::codegen
