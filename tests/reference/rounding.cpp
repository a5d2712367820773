#include "tests/reference/rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::reference {

namespace {

struct Format {
  int mantissa_bits;
  int min_exponent;  // of the smallest normal number
  int max_exponent;  // of the largest
  double largest = std::ldexp(2.0 - std::ldexp(1.0, -mantissa_bits), max_exponent);
  bool saturates = false;
};

Format format_of(DType dtype) {
  switch (dtype) {
    case f16:
      return {10, -14, 15};
    case bf16:
      return {7, -126, 127};
    case e4m3:
      return {3, -6, 8, 448, true};  // 480 would be the NaN
    case e5m2:
      return {.mantissa_bits = 2, .min_exponent = -14, .max_exponent = 15, .saturates = true};
    default:
      return {23, -126, 127};
  }
}

int exponent_bits_of(DType dtype) {
  return static_cast<int>(size_of(dtype)) * 8 - 1 - format_of(dtype).mantissa_bits;
}

/// A quiet NaN without sign. Of fp8 the one that conversions make, for e4m3 the only one.
int nan_of(DType dtype) {
  if (dtype == e4m3 || dtype == e5m2) return 0x7F;
  return dtype == f16 ? 0x7E00 : 0x7FC0;
}

}  // namespace

double spacing(DType dtype, double value) {
  const Format format = format_of(dtype);
  const int exponent = value == 0 || !std::isfinite(value) ? format.min_exponent
                                                           : std::max(std::ilogb(value), format.min_exponent);
  return std::ldexp(1.0, std::min(exponent, format.max_exponent) - format.mantissa_bits);
}

double rounded_to(DType dtype, double value) {
  const Format format = format_of(dtype);
  if (format.saturates && !std::isnan(value)) value = std::clamp(value, -format.largest, format.largest);
  if (!std::isfinite(value)) return value;
  const double step = spacing(dtype, value);
  // Exact: step is a power of two, and nearbyint rounds ties to even.
  const double rounded = std::nearbyint(value / step) * step;
  return std::abs(rounded) > format.largest ? std::copysign(std::numeric_limits<double>::infinity(), value)
                                            : rounded;
}

double value_of(DType dtype, std::uint16_t bits) {
  const Format format = format_of(dtype);
  const int exponent_bits = exponent_bits_of(dtype);
  const int sign_bit = 1 << (exponent_bits + format.mantissa_bits);
  const int exponent = (bits >> format.mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << format.mantissa_bits) - 1);
  double magnitude = 0;
  if ((bits & (sign_bit - 1)) == nan_of(dtype)) {
    magnitude = std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == (1 << exponent_bits) - 1 && dtype != e4m3) {
    magnitude =
        mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, format.min_exponent - format.mantissa_bits);
  } else {
    magnitude = std::ldexp(mantissa + (1 << format.mantissa_bits),
                           exponent - 1 + format.min_exponent - format.mantissa_bits);
  }
  return (bits & sign_bit) != 0 ? -magnitude : magnitude;
}

std::uint16_t bits_of(DType dtype, double value) {
  const Format format = format_of(dtype);
  const int exponent_bits = exponent_bits_of(dtype);
  const auto sign =
      static_cast<std::uint16_t>(std::signbit(value) ? 1 << (exponent_bits + format.mantissa_bits) : 0);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | nan_of(dtype));
  const double rounded = std::abs(rounded_to(dtype, value));
  if (std::isinf(rounded))
    return static_cast<std::uint16_t>(sign | ((1 << exponent_bits) - 1) << format.mantissa_bits);
  if (rounded == 0) return sign;
  const int exponent = std::max(std::ilogb(rounded), format.min_exponent);
  const auto mantissa = static_cast<int>(std::ldexp(rounded, format.mantissa_bits - exponent));
  const int hidden = 1 << format.mantissa_bits;
  // A subnormal has no hidden bit and exponent field 0.
  const int field = mantissa >= hidden ? exponent - format.min_exponent + 1 : 0;
  return static_cast<std::uint16_t>(sign | (field << format.mantissa_bits) | (mantissa & (hidden - 1)));
}

}  // namespace lathe::reference
