// cvt of one value: pure functions from any type to any other.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "runtime/ptx/float_arithmetic.h"
#include "runtime/ptx/float_values.h"

namespace lathe::runtime::ptx {

/// The modifiers of cvt.
struct ConversionRule {
  Rounding rounding = Rounding::nearest_even;
  bool to_integral = false;  ///< a float becomes an integer of the same type, in that direction
  bool flushes = false;      ///< .ftz, of f32 operands and results
  bool saturates = false;    ///< .sat; integers made from floats saturate anyway
  bool has_relu = false;
  Overflow overflow = Overflow::infinity;
};

template <class T>
T integer_converted(std::integral auto value, const ConversionRule& rule) {
  if (rule.saturates && !std::in_range<T>(value)) {
    return value < 0 ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
  }
  return static_cast<T>(value);
}

/// To an integral value.
inline double integral(double value, Rounding rounding) {
  switch (rounding) {
    case Rounding::toward_zero:
      return std::trunc(value);
    case Rounding::down:
      return std::floor(value);
    case Rounding::up:
      return std::ceil(value);
    case Rounding::nearest_away:
      return std::round(value);
    case Rounding::nearest_even:
      break;
  }
  return std::nearbyint(value);
}

template <class T>
T flushed_if_single(T value, const ConversionRule& rule) {
  if constexpr (std::is_same_v<T, float>) return rule.flushes ? flushed(value) : value;
  return value;
}

template <std::integral To, class From>
To converted_to_integer(From value, const ConversionRule& rule) {
  const double number = integral(widened(flushed_if_single(value, rule)), rule.rounding);
  if (std::isnan(number)) {
    if (!std::is_same_v<From, double> && sizeof(To) < 8) return 0;
    return static_cast<To>(std::uint64_t{1} << (8 * sizeof(To) - 1));
  }
  const double beyond = std::ldexp(1.0, std::numeric_limits<To>::digits);
  if (number >= beyond) return std::numeric_limits<To>::max();
  constexpr auto kLowest = std::numeric_limits<To>::min();
  return number <= static_cast<double>(kLowest) ? kLowest : static_cast<To>(number);
}

/// What .sat and .relu make of a result, and .ftz.
template <class To>
To finished(To value, const ConversionRule& rule) {
  const Clamp clamp = rule.saturates ? Clamp::unit : rule.has_relu ? Clamp::nonnegative : Clamp::none;
  return clamped(flushed_if_single(value, rule), clamp);
}

template <class To>
To converted_from_integer(std::integral auto value, const ConversionRule& rule) {
  if constexpr (!kIsNarrow<To>) {
    if (rule.rounding == Rounding::nearest_even) return finished(static_cast<To>(value), rule);
  }
  const bool is_negative = value < 0;
  const auto bits = static_cast<std::uint64_t>(value);
  return finished(rounded_value<To>(exact_integer(is_negative, is_negative ? 0 - bits : bits), rule.rounding),
                  rule);
}

template <class To, class From>
To converted_float(From value, const ConversionRule& rule) {
  const double number = widened(flushed_if_single(value, rule));
  if (rule.to_integral) return finished(narrowed<To>(integral(number, rule.rounding)), rule);
  if (rule.rounding == Rounding::nearest_even && rule.overflow == Overflow::infinity) {
    return finished(narrowed<To>(number), rule);
  }
  return finished(from_bits<To>(rounded(exact(number), kFormatOf<To>, rule.rounding, rule.overflow)), rule);
}

template <class To, class From>
To converted(From value, const ConversionRule& rule) {
  if constexpr (std::is_integral_v<To> && std::is_integral_v<From>) {
    return integer_converted<To>(value, rule);
  } else if constexpr (std::is_integral_v<To>) {
    return converted_to_integer<To>(value, rule);
  } else if constexpr (std::is_integral_v<From>) {
    return converted_from_integer<To>(value, rule);
  } else {
    return converted_float<To>(value, rule);
  }
}

}  // namespace lathe::runtime::ptx
