// The spec of RMSNorm's gradient.
#pragma once

#include <cstdint>
#include <optional>

#include <lathe/dtype.h>
#include <lathe/rms_norm.h>
#include <lathe/rms_norm_backward_args.h>

namespace lathe {

/// The gradients of x and of the weight, for the forward pass of the same hidden_size, dtype, weight, casting
/// and heads. See RmsNormBackwardArgs for the tensors and the formulas.
///
/// Of a fused residual add it is the gradient too: x is then the forward's residual_out, the gradient that
/// flows into residual_out comes in as dresidual, and dx is the gradient of both x and residual_in.
struct RmsNormBackwardSpec {
  using Args = RmsNormBackwardArgs;

  std::int64_t hidden_size = 0;         ///< elements of a row, 1 to 262144
  DType dtype = bf16;                   ///< of dy, x, dresidual and dx: f32, f16 or bf16
  bool has_weight = true;               ///< false: the forward had none, and there is no dw
  std::optional<DType> weight_dtype{};  ///< f32, f16 or bf16; unset: dtype
  double weight_offset = 0.0;           ///< as in the forward
  Casting casting = Casting::gemma;     ///< as in the forward
  std::int64_t heads = 1;               ///< rows per token: dy is [rows, heads, hidden_size]
  bool weight_per_head = false;         ///< weight and dw are [heads, hidden_size]
  bool has_dresidual = false;           ///< a gradient is added to dx
  bool load_rstd = true;                ///< the forward's rstd is read; false: it is made again from x
  bool store_dx = true;                 ///< false: only dw is wanted (the first layer)
  bool store_dw = true;                 ///< false: only dx is wanted (a frozen weight)
  std::optional<DType> dw_dtype{};      ///< f32, f16 or bf16; unset: the weight's
  bool accumulate_dw = false;           ///< dw is added to what dw holds
  std::int64_t alignment = 0;           ///< bytes, as in RmsNormSpec

  friend bool operator==(const RmsNormBackwardSpec&, const RmsNormBackwardSpec&) = default;
};

}  // namespace lathe
