// The floating-point types of registers, and what is done to their bits.
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "runtime/ptx/exact_float.h"
#include "runtime/ptx/half.h"

namespace lathe::runtime::ptx {

struct F16 {
  std::uint16_t bits;
};
struct Bf16 {
  std::uint16_t bits;
};

/// f16x2, bf16x2 and f32x2 registers: the first element is in the lower half.
template <class T>
struct Pair {
  T low;
  T high;
};

template <class T>
struct FloatTraits;
template <>
struct FloatTraits<float> {
  using Bits = std::uint32_t;
  static constexpr FloatFormat kFormat = kF32;
};
template <>
struct FloatTraits<double> {
  using Bits = std::uint64_t;
  static constexpr FloatFormat kFormat = kF64;
};
template <>
struct FloatTraits<F16> {
  using Bits = std::uint16_t;
  static constexpr FloatFormat kFormat = kF16;
};
template <>
struct FloatTraits<Bf16> {
  using Bits = std::uint16_t;
  static constexpr FloatFormat kFormat = kBf16;
};

template <class T>
using BitsOf = typename FloatTraits<T>::Bits;
template <class T>
constexpr FloatFormat kFormatOf = FloatTraits<T>::kFormat;
template <class T>
constexpr BitsOf<T> kSignOf = static_cast<BitsOf<T>>(kFormatOf<T>.sign());

template <class T>
BitsOf<T> to_bits(T value) {
  return std::bit_cast<BitsOf<T>>(value);
}
template <class T>
T from_bits(std::uint64_t bits) {
  return std::bit_cast<T>(static_cast<BitsOf<T>>(bits));
}

template <class T>
T absolute(T value) {
  return from_bits<T>(to_bits(value) & ~std::uint64_t{kSignOf<T>});
}
template <class T>
T negated(T value) {
  return from_bits<T>(to_bits(value) ^ kSignOf<T>);
}
/// copysign of PTX: the first operand gives the sign, the second the magnitude.
template <class T>
T with_sign_of(T sign, T magnitude) {
  return from_bits<T>(to_bits(absolute(magnitude)) | (to_bits(sign) & kSignOf<T>));
}
template <class T>
bool is_nan(T value) {
  return to_bits(absolute(value)) > kFormatOf<T>.infinity();
}
template <class T>
T canonical(T value) {
  return is_nan(value) ? from_bits<T>(kFormatOf<T>.nan()) : value;
}
/// .ftz: a subnormal value becomes the zero of its sign.
template <class T>
T flushed(T value) {
  return to_bits(absolute(value)) < kFormatOf<T>.smallest_normal() ? from_bits<T>(to_bits(value) & kSignOf<T>)
                                                                   : value;
}

// To and from double: every value of the other types is one of double.

inline double widened(double value) {
  return value;
}
inline double widened(float value) {
  return double{value};
}
inline double widened(F16 value) {
  return double{f16_to_float(value.bits)};
}
inline double widened(Bf16 value) {
  return double{bf16_to_float(value.bits)};
}

/// The float next to the value whose last bit is set, unless the value is a float. What is rounded to nearest
/// from it to a type with at least two bits less is what it would be from the value itself.
inline float narrowed_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (double{nearest} == value || std::isnan(value) || (bits & 1) != 0) return nearest;
  return std::bit_cast<float>(std::fabs(double{nearest}) < std::fabs(value) ? bits + 1 : bits - 1);
}

/// Rounded once, to nearest even; NaN to the canonical one.
template <class T>
T narrowed(double value) {
  if constexpr (std::is_same_v<T, F16>) {
    return {float_to_f16(narrowed_to_odd(value))};
  } else if constexpr (std::is_same_v<T, Bf16>) {
    return {float_to_bf16(narrowed_to_odd(value))};
  } else {
    return canonical(static_cast<T>(value));
  }
}

/// What .sat and .relu make of a result.
enum class Clamp : std::uint8_t {
  none,
  unit,         ///< .sat: to [0, 1]; NaN becomes 0
  nonnegative,  ///< .relu: what is negative becomes 0; NaN stays
};

template <class T>
T clamped(T value, Clamp clamp) {
  if (clamp == Clamp::none || (clamp == Clamp::nonnegative && is_nan(value))) return value;
  const auto wide = widened(value);
  if (!(wide > 0)) return from_bits<T>(0);
  return clamp == Clamp::unit && wide > 1 ? narrowed<T>(1) : value;
}

}  // namespace lathe::runtime::ptx
