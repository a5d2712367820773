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

/// Root mean square normalisation of rows. See RmsNormArgs for the tensors.
struct RmsNormSpec {
  using Args = RmsNormArgs;

  std::int64_t hidden_size = 0;         ///< elements of a row, 1 to 262144
  DType dtype = bf16;                   ///< of x, y and the residuals: f32, f16 or bf16
  bool has_weight = true;               ///< false: y = x * rstd
  std::optional<DType> weight_dtype{};  ///< f32, f16 or bf16; unset: dtype
  double weight_offset = 0.0;           ///< added to the weight: 1 for Gemma 1 to 3
  Casting casting = Casting::gemma;
  Residual residual = Residual::none;
  bool store_rstd = false;  ///< write 1 / sqrt(mean + epsilon) for a backward pass
  std::int64_t heads = 1;   ///< rows per token (QK-norm): x is [rows, heads, hidden_size]
  /// Bytes that every pointer, and every stride times the element's size, is a multiple of: a power of two
  /// from one element to 16. 0: the largest that tightly packed rows have. It decides how wide the accesses
  /// are. hidden_size need not be a multiple of it where strides pad the rows; tightly packed rows must then
  /// be. The weight is aligned to as many elements: alignment * weight's size / element's size, at most 16.
  /// Launches check all this.
  std::int64_t alignment = 0;

  friend bool operator==(const RmsNormSpec&, const RmsNormSpec&) = default;
};

}  // namespace lathe
