// Launch arguments of rms_norm. Compiled for the host and, as part of the kernel, for the device: no includes
// but our own, no standard library, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

/// y = x * rsqrt(mean(x^2) + epsilon) * (weight + offset), row by row.
///
/// Shapes: x, y, residual_in, residual_out [rows, heads, hidden_size]; weight [hidden_size], per head [heads,
/// hidden_size]; rstd [rows, heads]; y_scale_in [1]; y_scale_out [1], [rows, heads] or [rows, heads, blocks]
/// with hidden_size / 128 blocks, rounded up. Strides count elements between the starts of neighbouring rows
/// (or heads); the last dimension is contiguous. A stride of 0 means tightly packed.
///
/// An fp8 y holds y / scale, computed as y * (1 / scale). A scale that the launch makes is
/// max(largest |y|, amax_floor) / largest fp8 value; NaNs do not take part in it.
///
/// In place: y may be x if it has x's dtype, residual_out may be residual_in, if their strides are equal,
/// which a launch checks. Other overlaps are not allowed.
struct RmsNormArgs {
  const void* x = nullptr;
  const void* weight = nullptr;  ///< ignored when the spec has no weight
  void* y = nullptr;
  const void* residual_in = nullptr;  ///< added to x before normalising, when the spec has a residual
  void* residual_out = nullptr;       ///< receives x + residual_in, rounded to the dtype
  float* rstd = nullptr;              ///< receives 1 / sqrt(mean + epsilon), when the spec stores it
  Index rows = 0;                     ///< may be 0: nothing is launched
  Index x_row_stride = 0;
  Index y_row_stride = 0;
  Index residual_in_row_stride = 0;
  Index residual_out_row_stride = 0;
  Index x_head_stride = 0;
  Index y_head_stride = 0;
  Index residual_in_head_stride = 0;
  Index residual_out_head_stride = 0;
  float epsilon = 1e-6f;              ///< > 0 or 0
  float amax_floor = 1e-10f;          ///< 1e-30 or larger: where rows are zero, or nearly
  const float* y_scale_in = nullptr;  ///< when the spec's scale is given
  float* y_scale_out = nullptr;       ///< receives the scales that the spec has made
  Index y_scale_row_stride = 0;       ///< floats, as the next two; scales per row or block
  Index y_scale_head_stride = 0;
  Index y_scale_block_stride = 0;
  void* workspace = nullptr;  ///< Kernel::workspace_bytes() of device memory, for a scale per tensor
  Index workspace_bytes = 0;
  Index partials = 0;  ///< set by the launch: how many blocks leave a largest magnitude each
};

}  // namespace lathe
