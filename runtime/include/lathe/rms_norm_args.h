// Launch arguments of rms_norm. Compiled for the host and, as part of the kernel, for the device: no includes
// but our own, no standard library, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

/// y = x * rsqrt(mean(x^2) + epsilon) * (weight + offset), row by row.
///
/// Shapes: x, y, residual_in, residual_out [rows, heads, hidden_size]; weight [hidden_size]; rstd [rows,
/// heads]. Strides count elements between the starts of neighbouring rows (or heads); the last dimension is
/// contiguous. A stride of 0 means tightly packed.
///
/// In place: y may be x, residual_out may be residual_in, if their strides are equal, which a launch checks.
/// Other overlaps are not allowed.
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
  float epsilon = 1e-6f;  ///< > 0 or 0
};

}  // namespace lathe
