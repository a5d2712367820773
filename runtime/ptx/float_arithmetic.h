// Arithmetic of f32, f64, f16 and bf16 in every rounding direction: each result is the exact one, rounded
// once. NaN results are canonical. To nearest even, the CPU's arithmetic is used, which is IEEE 754's.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "runtime/ptx/float_values.h"

namespace lathe::runtime::ptx {

template <class T>
constexpr bool kIsNarrow = std::is_same_v<T, F16> || std::is_same_v<T, Bf16>;

template <class T>
ExactFloat exact_value(T value) {
  return exact(to_bits(value), kFormatOf<T>);
}
template <class T>
T rounded_value(const ExactFloat& value, Rounding rounding) {
  return from_bits<T>(rounded(value, kFormatOf<T>, rounding));
}

/// The sum if it is a double, or else the double next to it whose last bit is set.
inline double sum_to_odd(double a, double b) {
  const double sum = a + b;
  if (!std::isfinite(sum)) return sum;
  const double b_part = sum - a;
  const double error = (a - (sum - b_part)) + (b - b_part);
  const auto bits = std::bit_cast<std::uint64_t>(sum);
  if (error == 0 || (bits & 1) != 0) return sum;
  return std::bit_cast<double>((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

template <class T>
T add(T a, T b, Rounding rounding) {
  if (rounding != Rounding::nearest_even) {
    return rounded_value<T>(exact_sum(exact_value(a), exact_value(b), rounding), rounding);
  }
  if constexpr (kIsNarrow<T>) {
    return narrowed<T>(sum_to_odd(widened(a), widened(b)));
  } else {
    return canonical(a + b);
  }
}

template <class T>
T subtract(T a, T b, Rounding rounding) {
  return add(a, negated(b), rounding);
}

template <class T>
T multiply(T a, T b, Rounding rounding) {
  if (rounding != Rounding::nearest_even) {
    return rounded_value<T>(exact_product(exact_value(a), exact_value(b)), rounding);
  }
  if constexpr (kIsNarrow<T>) {
    return narrowed<T>(widened(a) * widened(b));
  } else {
    return canonical(a * b);
  }
}

/// a * b + c.
template <class T>
T multiply_add(T a, T b, T c, Rounding rounding) {
  if (rounding != Rounding::nearest_even) {
    const ExactFloat product = exact_product(exact_value(a), exact_value(b));
    return rounded_value<T>(exact_sum(product, exact_value(c), rounding), rounding);
  }
  if constexpr (kIsNarrow<T>) {
    return narrowed<T>(sum_to_odd(widened(a) * widened(b), widened(c)));
  } else {
    return canonical(std::fma(a, b, c));
  }
}

/// T is float or double, as in what follows.
template <class T>
T divide(T a, T b, Rounding rounding) {
  if (rounding == Rounding::nearest_even) return canonical(a / b);
  return rounded_value<T>(exact_quotient(exact_value(a), exact_value(b)), rounding);
}

template <class T>
T reciprocal(T a, Rounding rounding) {
  return divide(T{1}, a, rounding);
}

template <class T>
T square_root(T a, Rounding rounding) {
  if (rounding == Rounding::nearest_even) return canonical(std::sqrt(a));
  return rounded_value<T>(exact_root(exact_value(a)), rounding);
}

/// Which of two values min and max choose, and from what.
struct ExtremumRule {
  bool is_max = false;
  bool flushes = false;           ///< .ftz
  bool propagates_nan = false;    ///< .NaN; otherwise one NaN loses against a number
  bool of_magnitudes = false;     ///< .abs
  bool multiplies_signs = false;  ///< .xorsign: of the operands, for the result
  bool operator==(const ExtremumRule&) const = default;
};

/// -0 is less than +0.
template <class T>
T extremum(T a, T b, const ExtremumRule& rule) {
  if (rule.flushes) {
    a = flushed(a);
    b = flushed(b);
  }
  const auto sign = static_cast<BitsOf<T>>((to_bits(a) ^ to_bits(b)) & kSignOf<T>);
  if (rule.of_magnitudes) {
    a = absolute(a);
    b = absolute(b);
  }
  if (is_nan(a) ? rule.propagates_nan || is_nan(b) : rule.propagates_nan && is_nan(b)) {
    return from_bits<T>(kFormatOf<T>.nan());
  }
  // Orders the bits as the values.
  const auto key = [](T value) {
    const BitsOf<T> bits = to_bits(value);
    return static_cast<BitsOf<T>>((bits & kSignOf<T>) != 0 ? ~bits : bits | kSignOf<T>);
  };
  const bool takes_a = is_nan(b) || (!is_nan(a) && (key(a) < key(b)) != rule.is_max);
  const T result = takes_a ? a : b;
  return rule.multiplies_signs ? from_bits<T>(to_bits(result) ^ sign) : result;
}

}  // namespace lathe::runtime::ptx
