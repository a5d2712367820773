// The members of rms_norm's Args, for tools and tests that fill them by name.
#include <cstddef>
#include <string_view>
#include <vector>

#include "codegen/ops/rms_norm.h"

namespace lathe::codegen {

namespace {

using A = RmsNormArgs;

/// The strides of the tensors that the spec has, and of axes that it has.
void append_strides(const RmsNormSpec& spec, std::vector<Argument>& arguments) {
  const bool has_residual = spec.residual != Residual::none;
  const bool has_heads = spec.heads > 1;
  const bool has_blocks = spec.y_scale == OutputScale::per_block;
  const bool has_scales = has_blocks || spec.y_scale == OutputScale::per_row;
  struct Stride {
    std::string_view name;
    std::size_t offset;
    bool is_there;
  };
  const Stride strides[] = {
      {"x_row_stride", offsetof(A, x_row_stride), true},
      {"y_row_stride", offsetof(A, y_row_stride), true},
      {"residual_in_row_stride", offsetof(A, residual_in_row_stride), has_residual},
      {"residual_out_row_stride", offsetof(A, residual_out_row_stride), has_residual},
      {"x_head_stride", offsetof(A, x_head_stride), has_heads},
      {"y_head_stride", offsetof(A, y_head_stride), has_heads},
      {"residual_in_head_stride", offsetof(A, residual_in_head_stride), has_residual && has_heads},
      {"residual_out_head_stride", offsetof(A, residual_out_head_stride), has_residual && has_heads},
      {"y_scale_row_stride", offsetof(A, y_scale_row_stride), has_scales},
      {"y_scale_head_stride", offsetof(A, y_scale_head_stride), has_scales && has_heads},
      {"y_scale_block_stride", offsetof(A, y_scale_block_stride), has_blocks}};
  for (const Stride& stride : strides) {
    if (!stride.is_there) continue;
    arguments.push_back(
        {stride.name, ArgumentKind::scalar, i64, stride.offset, {}, "elements; 0: tightly packed", false});
  }
}

void append_scale(const RmsNormSpec& spec, std::vector<Argument>& arguments) {
  using enum ArgumentKind;
  if (spec.y_scale == OutputScale::given) {
    arguments.push_back({"y_scale_in", input, f32, offsetof(A, y_scale_in), {{1}}, "what y is divided by"});
  }
  if (!makes_scale(spec)) return;
  std::vector<Extent> shape{{1}};
  if (spec.y_scale != OutputScale::per_tensor) shape = {{0, "rows"}, {spec.heads}};
  if (spec.y_scale == OutputScale::per_block) shape.push_back({scale_blocks(spec)});
  arguments.push_back({"y_scale_out", output, f32, offsetof(A, y_scale_out), shape, "what y was divided by"});
  arguments.push_back({"amax_floor",
                       scalar,
                       f32,
                       offsetof(A, amax_floor),
                       {},
                       "the least that a largest magnitude counts as; default 1e-10",
                       false});
}

}  // namespace

std::vector<Argument> arguments_of_rms_norm(const KernelSpec& any) {
  const auto& spec = std::get<RmsNormSpec>(any);
  const std::vector<Extent> rows{{0, "rows"}, {spec.heads}, {spec.hidden_size}};
  using enum ArgumentKind;
  const DType y_dtype = spec.y_dtype.value_or(spec.dtype);
  std::vector<Argument> arguments{
      {"x", input, spec.dtype, offsetof(A, x), rows, "what is normalised"},
      {"y", output, y_dtype, offsetof(A, y), rows, "the result; may be x if it has its dtype"}};
  if (spec.has_weight) {
    std::vector<Extent> shape{{spec.hidden_size}};
    if (spec.weight_per_head) shape.insert(shape.begin(), Extent{spec.heads});
    arguments.push_back({"weight", input, spec.weight_dtype.value_or(spec.dtype), offsetof(A, weight), shape,
                         "one per element of a row"});
  }
  if (spec.residual != Residual::none) {
    arguments.push_back(
        {"residual_in", input, spec.dtype, offsetof(A, residual_in), rows, "added to x first"});
    arguments.push_back(
        {"residual_out", output, spec.dtype, offsetof(A, residual_out), rows, "the sum; may be residual_in"});
  }
  if (spec.store_rstd) {
    arguments.push_back(
        {"rstd", output, f32, offsetof(A, rstd), {{0, "rows"}, {spec.heads}}, "1 / sqrt(mean + epsilon)"});
  }
  arguments.push_back({"rows", scalar, i64, offsetof(A, rows), {}, "tokens", false});
  arguments.push_back(
      {"epsilon", scalar, f32, offsetof(A, epsilon), {}, "added to the mean square; default 1e-6", false});
  append_scale(spec, arguments);
  append_strides(spec, arguments);
  if (spec.y_scale == OutputScale::per_tensor) {
    arguments.push_back(
        {"workspace", workspace, u8, offsetof(A, workspace), {}, "largest magnitudes", false});
  }
  return arguments;
}

}  // namespace lathe::codegen
