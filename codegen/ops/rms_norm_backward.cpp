#include "codegen/ops/rms_norm_backward.h"

#include <cstddef>
#include <string_view>

#include <fmt/format.h>

#include "codegen/field_check.h"
#include "codegen/ops/rms_norm_backward_fields.h"
#include "codegen/ops/rms_norm_spec.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::string_view kOp = "rms_norm_backward";

/// Which gradients there are, and what is said about those that there are not.
Result<void> resolve_gradients(RmsNormBackwardSpec& spec) {
  if (!spec.has_weight) spec.store_dw = false;
  if (!spec.store_dx && !spec.store_dw) {
    return bad_spec(kOp,
                    spec.has_weight ? "store_dx and store_dw are false: nothing is left to do"
                                    : "store_dx is false, and without a weight there is no dw",
                    "ask for one of the gradients");
  }
  if (!spec.store_dx && spec.has_dresidual) {
    return bad_spec(kOp, "has_dresidual is true, but store_dx is false", "leave has_dresidual out");
  }
  if (!spec.store_dw) {
    if (spec.accumulate_dw)
      return bad_spec(kOp, "accumulate_dw is true, but there is no dw", "leave accumulate_dw out");
    if (spec.dw_dtype && *spec.dw_dtype != *spec.weight_dtype) {
      return bad_spec(kOp, fmt::format("dw_dtype is {}, but there is no dw", name_of(*spec.dw_dtype)),
                      "leave dw_dtype out");
    }
  }
  if (!spec.dw_dtype) spec.dw_dtype = spec.weight_dtype;
  return {};
}

}  // namespace

Result<KernelSpec> normalize_rms_norm_backward(const KernelSpec& given) {
  RmsNormBackwardSpec spec = std::get<RmsNormBackwardSpec>(given);
  LATHE_CHECK(check_fields(spec));
  LATHE_CHECK(resolve_weight(kOp, spec));
  LATHE_CHECK(resolve_gradients(spec));
  LATHE_CHECK(resolve_alignment(kOp, spec));
  return KernelSpec(spec);
}

Result<RenderPlan> plan_rms_norm_backward(const KernelSpec& any, const Target& target) {
  const auto& spec = std::get<RmsNormBackwardSpec>(any);
  return target.backend == Backend::cpu ? plan_rms_norm_backward_cpu(spec, target)
                                        : plan_rms_norm_backward_cuda(spec, target);
}

std::vector<Argument> arguments_of_rms_norm_backward(const KernelSpec& any) {
  const auto& spec = std::get<RmsNormBackwardSpec>(any);
  using A = RmsNormBackwardArgs;
  using enum ArgumentKind;
  const std::vector<Extent> rows{{0, "rows"}, {spec.heads}, {spec.hidden_size}};
  std::vector<Extent> weight{{spec.hidden_size}};
  if (spec.weight_per_head) weight.insert(weight.begin(), Extent{spec.heads});
  const DType weight_dtype = spec.weight_dtype.value_or(spec.dtype);
  struct Row {
    bool is_there;
    Argument argument;
  };
  const auto stride = [](std::string_view name, std::size_t offset) {
    return Argument{name, scalar, i64, offset, {}, "elements; 0: tightly packed", false};
  };
  const bool has_heads = spec.heads > 1;
  const Row all[] = {
      {true, {"dy", input, spec.dtype, offsetof(A, dy), rows, "the gradient of y"}},
      {true, {"x", input, spec.dtype, offsetof(A, x), rows, "of the forward, or its residual_out"}},
      {spec.has_weight && spec.store_dx,
       {"weight", input, weight_dtype, offsetof(A, weight), weight, "of the forward"}},
      {spec.load_rstd,
       {"rstd", input, f32, offsetof(A, rstd), {{0, "rows"}, {spec.heads}}, "of the forward"}},
      {spec.has_dresidual, {"dresidual", input, spec.dtype, offsetof(A, dresidual), rows, "added to dx"}},
      {spec.store_dx,
       {"dx", output, spec.dtype, offsetof(A, dx), rows, "the gradient of x; may be dy, x or dresidual"}},
      {spec.store_dw,
       {"dw", spec.accumulate_dw ? update : output, spec.dw_dtype.value_or(weight_dtype), offsetof(A, dw),
        weight, "the gradient of the weight"}},
      {true, {"rows", scalar, i64, offsetof(A, rows), {}, "tokens", false}},
      {!spec.load_rstd,
       {"epsilon", scalar, f32, offsetof(A, epsilon), {}, "of the forward; default 1e-6", false}},
      {true, stride("dy_row_stride", offsetof(A, dy_row_stride))},
      {true, stride("x_row_stride", offsetof(A, x_row_stride))},
      {spec.has_dresidual, stride("dresidual_row_stride", offsetof(A, dresidual_row_stride))},
      {spec.store_dx, stride("dx_row_stride", offsetof(A, dx_row_stride))},
      {has_heads, stride("dy_head_stride", offsetof(A, dy_head_stride))},
      {has_heads, stride("x_head_stride", offsetof(A, x_head_stride))},
      {has_heads && spec.has_dresidual, stride("dresidual_head_stride", offsetof(A, dresidual_head_stride))},
      {has_heads && spec.store_dx, stride("dx_head_stride", offsetof(A, dx_head_stride))},
      {true, {"workspace", workspace, u8, offsetof(A, workspace), {}, "partial sums", false}}};
  std::vector<Argument> arguments;
  for (const Row& row : all) {
    if (row.is_there) arguments.push_back(row.argument);
  }
  return arguments;
}

}  // namespace lathe::codegen
