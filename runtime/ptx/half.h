// Conversions between the narrow floating-point formats, as bits, and float or double. Results are rounded
// once, from the exact value. Results that are NaN are the format's canonical one; the sign of zero is kept.
#pragma once

#include <bit>
#include <cstdint>

#include "runtime/ptx/rounding.h"

namespace lathe::runtime::ptx {

constexpr std::uint16_t kHalfNan = 0x7fff;       ///< canonical, of f16 and bf16
constexpr std::uint8_t kQuarterNan = 0x7f;       ///< canonical, of e4m3 and e5m2
constexpr std::uint32_t kFloatNan = 0x7fffffff;  ///< canonical, of f32 and tf32
inline float float_nan() {
  return std::bit_cast<float>(kFloatNan);
}

// To float: exact.

inline float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t magnitude = (bits & 0x7fffU) << 13;
  if ((bits & 0x7c00U) == 0x7c00U) {
    return (bits & 0x3ffU) != 0 ? float_nan() : std::bit_cast<float>(sign | 0x7f800000U);
  }
  return std::bit_cast<float>(sign | magnitude) * 0x1p112F;  // from one bias to the other; exact
}

inline float bf16_to_float(std::uint16_t bits) {
  if ((bits & 0x7fffU) > 0x7f80U) return float_nan();
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline float e4m3_to_float(std::uint8_t bits) {
  const std::uint32_t sign = (bits & 0x80U) << 24;
  const std::uint32_t magnitude = (bits & 0x7fU) << 20;
  if ((bits & 0x7fU) == 0x7fU) return float_nan();
  return std::bit_cast<float>(sign | magnitude) * 0x1p120F;
}

inline float e5m2_to_float(std::uint8_t bits) {
  return f16_to_float(static_cast<std::uint16_t>(bits << 8));
}

/// What a tf32 operand of a matrix product holds: the lower 13 bits do not count.
inline float tf32_to_float(std::uint32_t bits) {
  return std::bit_cast<float>(bits & 0xffffe000U);
}

// From float or double. Without a direction: to the nearest, ties to even.

inline std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return kHalfNan;
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1)) >> 16);
}

inline std::uint16_t float_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return kHalfNan;
  if (magnitude >= 0x477ff000U) return sign | 0x7c00U;  // 65520, half way to what does not exist
  if (magnitude < 0x38800000U) {                        // 2^-14: the sum's lowest bit is f16's
    const float sum = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3f000000U));
  }
  const std::uint32_t rebiased = magnitude - (112U << 23);
  return static_cast<std::uint16_t>(sign | (rebiased + 0xfffU + (rebiased >> 13 & 1)) >> 13);
}

std::uint16_t float_to_f16(float value, Rounding rounding, Overflow overflow = Overflow::infinity);
std::uint16_t float_to_bf16(float value, Rounding rounding, Overflow overflow = Overflow::infinity);
std::uint16_t double_to_f16(double value, Rounding rounding = Rounding::nearest_even);
std::uint16_t double_to_bf16(double value, Rounding rounding = Rounding::nearest_even);

/// What is too large, infinity included, becomes the largest finite value: the only form that PTX has.
std::uint8_t float_to_e4m3(float value);
std::uint8_t float_to_e5m2(float value);

/// The bits of a float whose lower 13 are zero; of a NaN kFloatNan.
std::uint32_t float_to_tf32(float value, Rounding rounding = Rounding::nearest_away,
                            Overflow overflow = Overflow::infinity);

}  // namespace lathe::runtime::ptx
