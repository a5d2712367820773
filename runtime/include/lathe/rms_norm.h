// The spec of RMSNorm.
#pragma once

#include <cstdint>
#include <optional>

#include <lathe/dtype.h>
#include <lathe/rms_norm_args.h>

namespace lathe {

/// Where the normalised row is rounded to `dtype` before the result is.
enum class Casting : std::uint8_t {
  llama,  ///< fp32 statistics; x * rstd is rounded to dtype, then multiplied by the weight and rounded again
  gemma,  ///< fp32 throughout, one rounding at the end
  none,   ///< every step in dtype: squares, mean, rstd and products are each rounded
};

/// Whether a residual is added first, and which sum is normalised.
enum class Residual : std::uint8_t {
  none,
  round_then_norm,  ///< s = round(x + r) is stored and normalised (Hugging Face, Liger)
  norm_then_round,  ///< the fp32 sum is normalised, its rounding is stored (FlashInfer, QuACK)
};

/// What y is divided by before it is rounded to fp8. A reader multiplies by it: y = element * scale.
enum class OutputScale : std::uint8_t {
  none,        ///< 1
  given,       ///< one float that the launch reads: static quantisation
  per_tensor,  ///< one for the whole tensor, from its largest magnitude; takes a second pass over x
  per_row,     ///< one per row
  per_block,   ///< one per 128 elements of a row; the last block of a row may be shorter
};

/// Root mean square normalisation of rows. See RmsNormArgs for the tensors.
struct RmsNormSpec {
  using Args = RmsNormArgs;

  std::int64_t hidden_size = 0;         ///< elements of a row, 1 to 262144
  DType dtype = bf16;                   ///< of x, the residuals and y: f32, f16 or bf16
  bool has_weight = true;               ///< false: y = x * rstd
  std::optional<DType> weight_dtype{};  ///< f32, f16 or bf16; unset: dtype
  double weight_offset = 0.0;           ///< added to the weight: 1 for Gemma 1 to 3
  Casting casting = Casting::gemma;
  Residual residual = Residual::none;
  bool store_rstd = false;         ///< write 1 / sqrt(mean + epsilon) for a backward pass
  std::int64_t heads = 1;          ///< rows per token (QK-norm): x is [rows, heads, hidden_size]
  bool weight_per_head = false;    ///< the weight is [heads, hidden_size] instead of [hidden_size]
  std::optional<DType> y_dtype{};  ///< f32, f16, bf16, e4m3 or e5m2; unset: dtype
  /// Of e4m3 and e5m2. What is beyond their largest value becomes that; NaN stays NaN.
  OutputScale y_scale = OutputScale::none;
  /// Where y_dtype is not dtype: y is rounded to dtype before it is scaled and rounded to y_dtype, as two
  /// separate ops do it. False: the fp32 result is scaled and rounded once (FlashInfer). Casting::none always
  /// rounds.
  bool round_to_dtype = false;
  /// Bytes that every pointer, and every stride times the element's size, is a multiple of: a power of two
  /// from one element to 16. 0: the largest that tightly packed rows have. It decides how wide the accesses
  /// are. hidden_size need not be a multiple of it where strides pad the rows; tightly packed rows must then
  /// be. The weight, and a y of another dtype, are aligned to as many elements: alignment * their size /
  /// element's size, at most 16. Launches check all this.
  std::int64_t alignment = 0;

  friend bool operator==(const RmsNormSpec&, const RmsNormSpec&) = default;
};

}  // namespace lathe
