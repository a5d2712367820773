#include "runtime/ptx/exact_float.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace lathe::runtime::ptx {

namespace {

using Kind = ExactFloat::Kind;

constexpr int kTop = 125;  ///< bit that leads a normalized magnitude: a sum of two has room

/// Of the leading bit. REQUIRES: value is not 0.
int top_bit(uint128 value) {
  const auto upper = static_cast<std::uint64_t>(value >> 64);
  if (upper != 0) return 127 - std::countl_zero(upper);
  return 63 - std::countl_zero(static_cast<std::uint64_t>(value));
}

ExactFloat special(Kind kind, bool is_negative) {
  return {.kind = kind, .is_negative = is_negative};
}

ExactFloat finite(bool is_negative, int exponent, uint128 magnitude) {
  return {.kind = Kind::finite, .is_negative = is_negative, .exponent = exponent, .magnitude = magnitude};
}

bool is_nan(const ExactFloat& value) {
  return value.kind == Kind::nan;
}
bool is_infinite(const ExactFloat& value) {
  return value.kind == Kind::infinite;
}
bool is_zero(const ExactFloat& value) {
  return value.kind == Kind::zero;
}

ExactFloat normalized(const ExactFloat& value) {
  const int up = kTop - top_bit(value.magnitude);
  return finite(value.is_negative, value.exponent - up, value.magnitude << up);
}

/// What is shifted out stays visible in the lowest bit.
uint128 shifted_right(uint128 value, int by) {
  if (by == 0) return value;
  if (by > 127) return value != 0 ? 1 : 0;
  const bool is_inexact = (value & ((uint128{1} << by) - 1)) != 0;
  return value >> by | (is_inexact ? 1 : 0);
}

/// Whether a magnitude between two representable ones becomes the upper of them. `remainder`: what it is
/// beyond the lower, not 0; `half`: of their distance.
bool rounds_up(bool is_negative, bool lower_is_odd, uint128 remainder, uint128 half, Rounding rounding) {
  switch (rounding) {
    case Rounding::nearest_even:
      return remainder > half || (remainder == half && lower_is_odd);
    case Rounding::nearest_away:
      return remainder >= half;
    case Rounding::toward_zero:
      return false;
    case Rounding::down:
      return is_negative;
    case Rounding::up:
      break;
  }
  return !is_negative;
}

std::uint64_t overflowed(bool is_negative, const FloatFormat& format, Rounding rounding, Overflow overflow) {
  if (overflow == Overflow::saturate) return format.largest();
  const bool is_nearest = rounding == Rounding::nearest_even || rounding == Rounding::nearest_away;
  if (!is_nearest && !rounds_up(is_negative, false, 1, 1, rounding)) return format.largest();
  return format.has_infinity ? format.infinity() : format.nan();
}

std::uint64_t rounded_magnitude(const ExactFloat& value, const FloatFormat& format, Rounding rounding,
                                Overflow overflow) {
  const int value_exponent = top_bit(value.magnitude) + value.exponent;
  const int mantissa_bits = static_cast<int>(format.mantissa_bits);
  if (value_exponent > format.bias() + 1) {
    return overflowed(value.is_negative, format, rounding, overflow);
  }
  // Of the last bit that the format has room for.
  const int last = std::max(value_exponent - mantissa_bits, format.lowest_exponent());
  const int dropped = last - value.exponent;
  uint128 kept = 0;
  bool goes_up = false;
  if (dropped <= 0) {
    kept = value.magnitude << -dropped;
  } else if (dropped > 127) {
    goes_up = rounds_up(value.is_negative, false, 1, 2, rounding);
  } else {
    kept = value.magnitude >> dropped;
    const uint128 remainder = value.magnitude & ((uint128{1} << dropped) - 1);
    goes_up = remainder != 0 &&
              rounds_up(value.is_negative, (kept & 1) != 0, remainder, uint128{1} << (dropped - 1), rounding);
  }
  // The leading bit, if there is one, adds 1 to the exponent field; so does a carry.
  const std::uint64_t bits =
      (static_cast<std::uint64_t>(last - format.lowest_exponent()) << format.mantissa_bits) +
      static_cast<std::uint64_t>(kept) + (goes_up ? 1 : 0);
  return bits > format.largest() ? overflowed(value.is_negative, format, rounding, overflow) : bits;
}

/// Of a 128-bit integer, rounded down.
uint128 integer_root(uint128 value) {
  uint128 root = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const uint128 longer = root | uint128{1} << bit;
    if (longer * longer <= value) root = longer;
  }
  return root;
}

}  // namespace

ExactFloat exact(std::uint64_t bits, const FloatFormat& format) {
  const bool is_negative = (bits & format.sign()) != 0;
  const std::uint64_t magnitude = bits & (format.sign() - 1);
  if (magnitude == 0) return special(Kind::zero, is_negative);
  if (magnitude > format.largest()) {
    return special(format.has_infinity && magnitude == format.infinity() ? Kind::infinite : Kind::nan,
                   is_negative);
  }
  const std::uint64_t field = magnitude >> format.mantissa_bits;
  const std::uint64_t mantissa = magnitude & (format.smallest_normal() - 1);
  if (field == 0) return finite(is_negative, format.lowest_exponent(), mantissa);
  return finite(is_negative, static_cast<int>(field) - 1 + format.lowest_exponent(),
                mantissa | format.smallest_normal());
}

ExactFloat exact(double value) {
  return exact(std::bit_cast<std::uint64_t>(value), kF64);
}

ExactFloat exact_integer(bool is_negative, std::uint64_t magnitude) {
  if (magnitude == 0) return special(Kind::zero, false);
  return finite(is_negative, 0, magnitude);
}

ExactFloat exact_product(const ExactFloat& a, const ExactFloat& b) {
  const bool is_negative = a.is_negative != b.is_negative;
  if (is_nan(a) || is_nan(b)) return special(Kind::nan, false);
  if (is_infinite(a) || is_infinite(b)) {
    return special(is_zero(a) || is_zero(b) ? Kind::nan : Kind::infinite, is_negative);
  }
  if (is_zero(a) || is_zero(b)) return special(Kind::zero, is_negative);
  return finite(is_negative, a.exponent + b.exponent, a.magnitude * b.magnitude);
}

ExactFloat exact_sum(const ExactFloat& a, const ExactFloat& b, Rounding rounding) {
  if (is_nan(a) || is_nan(b)) return special(Kind::nan, false);
  if (is_infinite(a)) return is_infinite(b) && a.is_negative != b.is_negative ? special(Kind::nan, false) : a;
  if (is_infinite(b)) return b;
  const ExactFloat no_difference = special(Kind::zero, rounding == Rounding::down);
  if (is_zero(a) && is_zero(b)) return a.is_negative == b.is_negative ? a : no_difference;
  if (is_zero(a)) return b;
  if (is_zero(b)) return a;

  ExactFloat large = normalized(a);
  ExactFloat small = normalized(b);
  if (large.exponent < small.exponent) std::swap(large, small);
  // If bits are lost here, the exponents differ so much that the leading bits cannot cancel.
  small.magnitude = shifted_right(small.magnitude, large.exponent - small.exponent);
  if (large.is_negative == small.is_negative) {
    return finite(large.is_negative, large.exponent, large.magnitude + small.magnitude);
  }
  if (large.magnitude == small.magnitude) return no_difference;
  if (large.magnitude < small.magnitude) {
    std::swap(large.magnitude, small.magnitude);
    large.is_negative = !large.is_negative;
  }
  return finite(large.is_negative, large.exponent, large.magnitude - small.magnitude);
}

ExactFloat exact_quotient(const ExactFloat& a, const ExactFloat& b) {
  const bool is_negative = a.is_negative != b.is_negative;
  if (is_nan(a) || is_nan(b)) return special(Kind::nan, false);
  if (is_infinite(a)) return special(is_infinite(b) ? Kind::nan : Kind::infinite, is_negative);
  if (is_infinite(b)) return special(Kind::zero, is_negative);
  if (is_zero(b)) return special(is_zero(a) ? Kind::nan : Kind::infinite, is_negative);
  if (is_zero(a)) return special(Kind::zero, is_negative);
  const ExactFloat dividend = normalized(a);
  const bool is_inexact = dividend.magnitude % b.magnitude != 0;
  return finite(is_negative, dividend.exponent - b.exponent,
                dividend.magnitude / b.magnitude | (is_inexact ? 1 : 0));
}

ExactFloat exact_root(const ExactFloat& a) {
  if (is_nan(a) || is_zero(a)) return a;
  if (a.is_negative) return special(Kind::nan, false);
  if (is_infinite(a)) return a;
  ExactFloat square = normalized(a);
  if (square.exponent % 2 != 0) {
    square.magnitude <<= 1;
    --square.exponent;
  }
  const uint128 root = integer_root(square.magnitude);
  const bool is_inexact = root * root != square.magnitude;
  return finite(false, square.exponent / 2, root | (is_inexact ? 1 : 0));
}

std::uint64_t rounded(const ExactFloat& value, const FloatFormat& format, Rounding rounding,
                      Overflow overflow) {
  const std::uint64_t sign = value.is_negative ? format.sign() : 0;
  switch (value.kind) {
    case Kind::nan:
      return format.nan();
    case Kind::zero:
      return sign;
    case Kind::infinite:
      if (overflow == Overflow::saturate) return sign | format.largest();
      return sign | (format.has_infinity ? format.infinity() : format.nan());
    case Kind::finite:
      break;
  }
  return sign | rounded_magnitude(value, format, rounding, overflow);
}

}  // namespace lathe::runtime::ptx
