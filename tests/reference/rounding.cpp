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
};

Format format_of(DType dtype) {
  switch (dtype) {
    case f16:
      return {10, -14, 15};
    case bf16:
      return {7, -126, 127};
    default:
      return {23, -126, 127};
  }
}

}  // namespace

double spacing(DType dtype, double value) {
  const Format format = format_of(dtype);
  const int exponent = value == 0 || !std::isfinite(value) ? format.min_exponent
                                                           : std::max(std::ilogb(value), format.min_exponent);
  return std::ldexp(1.0, std::min(exponent, format.max_exponent) - format.mantissa_bits);
}

double rounded_to(DType dtype, double value) {
  if (!std::isfinite(value)) return value;
  const double step = spacing(dtype, value);
  // Exact: step is a power of two, and nearbyint rounds ties to even.
  const double rounded = std::nearbyint(value / step) * step;
  const Format format = format_of(dtype);
  const double largest = std::ldexp(2.0 - std::ldexp(1.0, -format.mantissa_bits), format.max_exponent);
  return std::abs(rounded) > largest ? std::copysign(std::numeric_limits<double>::infinity(), value)
                                     : rounded;
}

double value_of(DType dtype, std::uint16_t bits) {
  const Format format = format_of(dtype);
  const int exponent_bits = 15 - format.mantissa_bits;
  const int exponent = (bits >> format.mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << format.mantissa_bits) - 1);
  double magnitude = 0;
  if (exponent == (1 << exponent_bits) - 1) {
    magnitude =
        mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, format.min_exponent - format.mantissa_bits);
  } else {
    magnitude = std::ldexp(mantissa + (1 << format.mantissa_bits),
                           exponent - 1 + format.min_exponent - format.mantissa_bits);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

std::uint16_t bits_of(DType dtype, double value) {
  const Format format = format_of(dtype);
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const int all_ones = 0x7FFF & ~((1 << format.mantissa_bits) - 1);
  if (std::isnan(value))
    return static_cast<std::uint16_t>(sign | all_ones | (1 << (format.mantissa_bits - 1)));
  const double rounded = std::abs(rounded_to(dtype, value));
  if (std::isinf(rounded)) return static_cast<std::uint16_t>(sign | all_ones);
  if (rounded == 0) return sign;
  const int exponent = std::max(std::ilogb(rounded), format.min_exponent);
  const auto mantissa = static_cast<int>(std::ldexp(rounded, format.mantissa_bits - exponent));
  const int hidden = 1 << format.mantissa_bits;
  // A subnormal has no hidden bit and exponent field 0.
  const int field = mantissa >= hidden ? exponent - format.min_exponent + 1 : 0;
  return static_cast<std::uint16_t>(sign | (field << format.mantissa_bits) | (mantissa & (hidden - 1)));
}

}  // namespace lathe::reference
