#include "tools/lathe/elements.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace lathe::tools {

namespace {

/// A binary format with a sign bit, an exponent of that bias, and subnormals.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  bool has_infinity;
};

constexpr Format format_of(DType dtype) {
  switch (dtype) {
    case f16:
      return {5, 10, 15, true};
    case bf16:
      return {8, 7, 127, true};
    case e4m3:
      return {4, 3, 7, false};
    case e5m2:
      return {5, 2, 15, true};
    default:
      return {8, 23, 127, true};
  }
}

constexpr std::uint32_t low_bits(int count) {
  return (1u << count) - 1u;
}

std::uint32_t encode(const Format& format, double value) {
  const std::uint32_t sign = std::signbit(value) ? 1u << (format.exponent_bits + format.mantissa_bits) : 0u;
  const std::uint32_t exponent_ones = low_bits(format.exponent_bits) << format.mantissa_bits;
  // Without infinities, the pattern of all ones is the only NaN.
  const std::uint32_t nan = exponent_ones | (format.has_infinity ? 1u << (format.mantissa_bits - 1)
                                                                 : low_bits(format.mantissa_bits));
  const std::uint32_t overflow = format.has_infinity ? exponent_ones : nan;
  if (std::isnan(value)) return sign | nan;
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return sign | overflow;
  if (magnitude == 0.0) return sign;

  // The distance between neighbours at this magnitude; below the smallest normal number it stays the same.
  const int exponent = std::max(std::ilogb(magnitude), 1 - format.bias);
  const double units = std::nearbyint(std::ldexp(magnitude, format.mantissa_bits - exponent));
  // units = 2^mantissa_bits + mantissa for a normal number. Adding it to the exponent field lets a carry move
  // into the exponent, and a subnormal number, which has no leading bit, keep the exponent field 0.
  const auto bits = static_cast<std::uint64_t>(units) +
                    (static_cast<std::uint64_t>(exponent + format.bias - 1) << format.mantissa_bits);
  const std::uint64_t largest = format.has_infinity ? exponent_ones - 1 : nan - 1;
  return sign | (bits > largest ? overflow : static_cast<std::uint32_t>(bits));
}

double decode(const Format& format, std::uint32_t bits) {
  const bool is_negative = (bits >> (format.exponent_bits + format.mantissa_bits) & 1u) != 0;
  const auto exponent = static_cast<int>(bits >> format.mantissa_bits & low_bits(format.exponent_bits));
  const std::uint32_t mantissa = bits & low_bits(format.mantissa_bits);
  const bool all_ones = exponent == static_cast<int>(low_bits(format.exponent_bits));
  double magnitude = 0.0;
  if (all_ones && format.has_infinity) {
    magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
  } else if (all_ones && mantissa == low_bits(format.mantissa_bits)) {
    magnitude = std::nan("");
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, 1 - format.bias - format.mantissa_bits);
  } else {
    magnitude =
        std::ldexp((1u << format.mantissa_bits) + mantissa, exponent - format.bias - format.mantissa_bits);
  }
  return is_negative ? -magnitude : magnitude;
}

}  // namespace

bool is_floating(DType dtype) {
  return dtype == f32 || dtype == f16 || dtype == bf16 || dtype == e4m3 || dtype == e5m2;
}

void store_element(DType dtype, double value, void* to) {
  if (dtype == f32) {
    const auto single = static_cast<float>(value);
    std::memcpy(to, &single, sizeof single);
    return;
  }
  const std::uint32_t bits = encode(format_of(dtype), value);
  if (size_of(dtype) == 2) {
    const auto half = static_cast<std::uint16_t>(bits);
    std::memcpy(to, &half, sizeof half);
  } else {
    const auto byte = static_cast<std::uint8_t>(bits);
    std::memcpy(to, &byte, sizeof byte);
  }
}

double load_element(DType dtype, const void* from) {
  if (size_of(dtype) == 4) {
    float single = 0;
    std::memcpy(&single, from, sizeof single);
    return single;
  }
  if (dtype == bf16) {
    // The format of most tensors, and the cheapest: the upper half of a float.
    std::uint16_t half = 0;
    std::memcpy(&half, from, sizeof half);
    return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
  }
  std::uint32_t bits = 0;
  std::memcpy(&bits, from, size_of(dtype));  // little-endian, as everything Lathe runs on
  return decode(format_of(dtype), bits);
}

}  // namespace lathe::tools
