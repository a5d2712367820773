#include "runtime/ptx/half.h"

#include "runtime/ptx/exact_float.h"

namespace lathe::runtime::ptx {

std::uint16_t float_to_f16(float value, Rounding rounding, Overflow overflow) {
  return static_cast<std::uint16_t>(rounded(exact(double{value}), kF16, rounding, overflow));
}

std::uint16_t float_to_bf16(float value, Rounding rounding, Overflow overflow) {
  return static_cast<std::uint16_t>(rounded(exact(double{value}), kBf16, rounding, overflow));
}

std::uint16_t double_to_f16(double value, Rounding rounding) {
  return static_cast<std::uint16_t>(rounded(exact(value), kF16, rounding));
}

std::uint16_t double_to_bf16(double value, Rounding rounding) {
  return static_cast<std::uint16_t>(rounded(exact(value), kBf16, rounding));
}

std::uint8_t float_to_e4m3(float value) {
  return static_cast<std::uint8_t>(
      rounded(exact(double{value}), kE4m3, Rounding::nearest_even, Overflow::saturate));
}

std::uint8_t float_to_e5m2(float value) {
  return static_cast<std::uint8_t>(
      rounded(exact(double{value}), kE5m2, Rounding::nearest_even, Overflow::saturate));
}

std::uint32_t float_to_tf32(float value, Rounding rounding, Overflow overflow) {
  const auto exact_value = exact(double{value});
  if (exact_value.kind == ExactFloat::Kind::nan) return kFloatNan;
  return static_cast<std::uint32_t>(rounded(exact_value, kTf32, rounding, overflow) << 13);
}

}  // namespace lathe::runtime::ptx
