// Launch arguments of rms_norm_backward. Compiled for the host and, as part of the kernel, for the device: no
// includes but our own, no standard library, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

/// With n = x * rstd, g = dy * (weight + offset), N = hidden_size, row by row:
///
///   dx = rstd * (g - n * sum(g * n) / N) + dresidual
///   dw = sum over rows of dy * n      (+ what dw held, if the spec accumulates)
///
/// All of it in fp32, rounded once at the end. Casting decides what rounding of the forward is seen: for
/// llama and none, the n of dw is rounded to dtype as the forward rounded it; for none, so are weight +
/// offset and a rstd that is made again. Where the forward rounded g (Hugging Face's llama in 16 bits), this
/// does not.
///
/// Shapes: dy, x, dresidual, dx [rows, heads, hidden_size]; weight, dw [hidden_size], per head [heads,
/// hidden_size]; rstd [rows, heads]. Strides count elements between the starts of neighbouring rows (or
/// heads); the last dimension is contiguous. A stride of 0 means tightly packed.
///
/// In place: dx may be dy, x or dresidual, if their strides are equal, which a launch checks. Other overlaps
/// are not allowed.
///
/// The same inputs give the same bits, on the same device; on the CPU on any number of threads.
struct RmsNormBackwardArgs {
  const void* dy = nullptr;
  const void* x = nullptr;          ///< of the forward; with a fused residual add its residual_out
  const void* weight = nullptr;     ///< when the spec has a weight and dx is wanted
  const float* rstd = nullptr;      ///< of the forward, when the spec loads it
  const void* dresidual = nullptr;  ///< added to dx, when the spec has it
  void* dx = nullptr;
  void* dw = nullptr;
  Index rows = 0;  ///< may be 0: dw becomes 0, or stays as it is where the spec accumulates
  Index dy_row_stride = 0;
  Index x_row_stride = 0;
  Index dresidual_row_stride = 0;
  Index dx_row_stride = 0;
  Index dy_head_stride = 0;
  Index x_head_stride = 0;
  Index dresidual_head_stride = 0;
  Index dx_head_stride = 0;
  float epsilon = 1e-6f;      ///< of the forward, when rstd is made again: > 0 or 0
  void* workspace = nullptr;  ///< Kernel::workspace_bytes() of device memory, a multiple of 16 bytes
  Index workspace_bytes = 0;
  Index strips = 0;  ///< set by the launch: how many parts of the rows have a partial dw each
};

}  // namespace lathe
