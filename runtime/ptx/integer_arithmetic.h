// Integer arithmetic as PTX defines it: modulo 2^n where nothing else is said, and defined for all values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "runtime/ptx/flagged.h"

namespace lathe::runtime::ptx::integer {

/// What T is computed in: of short types C++ would make int, which can overflow.
template <class T>
using Modular = std::common_type_t<std::make_unsigned_t<T>, unsigned>;

template <class T>
constexpr Modular<T> modular(T value) {
  return static_cast<Modular<T>>(value);
}

template <class T>
constexpr bool is_negative(T value) {
  return std::is_signed_v<T> && value < T{0};
}

template <class T>
constexpr T negate(T a) {
  return static_cast<T>(Modular<T>{0} - modular(a));
}

template <class T>
constexpr T add(T a, T b) {
  return static_cast<T>(modular(a) + modular(b));
}

template <class T>
constexpr T subtract(T a, T b) {
  return static_cast<T>(modular(a) - modular(b));
}

/// The value nearest to `value` that 32 bits hold.
constexpr std::int32_t saturated(std::int64_t value) {
  using Limits = std::numeric_limits<std::int32_t>;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, Limits::min(), Limits::max()));
}

constexpr std::int32_t add_saturated(std::int32_t a, std::int32_t b) {
  return saturated(std::int64_t{a} + b);
}

constexpr std::int32_t subtract_saturated(std::int32_t a, std::int32_t b) {
  return saturated(std::int64_t{a} - b);
}

// Products.

template <class T>
struct Double;
template <>
struct Double<std::uint16_t> : std::type_identity<std::uint32_t> {};
template <>
struct Double<std::int16_t> : std::type_identity<std::int32_t> {};
template <>
struct Double<std::uint32_t> : std::type_identity<std::uint64_t> {};
template <>
struct Double<std::int32_t> : std::type_identity<std::int64_t> {};
/// The type of twice the bits.
template <class T>
using Doubled = typename Double<T>::type;

template <class T>
constexpr T multiply_low(T a, T b) {
  return static_cast<T>(modular(a) * modular(b));
}

template <class T>
constexpr Doubled<T> multiply_wide(T a, T b) {
  return static_cast<Doubled<T>>(static_cast<Doubled<T>>(a) * static_cast<Doubled<T>>(b));
}

/// The upper half of the product.
template <class T>
constexpr T multiply_high(T a, T b) {
  if constexpr (sizeof(T) < sizeof(std::uint64_t)) {
    return static_cast<T>(multiply_wide(a, b) >> 8 * sizeof(T));
  } else {
    constexpr std::uint64_t kLow = 0xffffffff;
    const auto x = static_cast<std::uint64_t>(a);
    const auto y = static_cast<std::uint64_t>(b);
    const std::uint64_t low = (x & kLow) * (y & kLow);
    const std::uint64_t cross = (x >> 32) * (y & kLow) + (low >> 32);
    const std::uint64_t other = (x & kLow) * (y >> 32) + (cross & kLow);
    const std::uint64_t high = (x >> 32) * (y >> 32) + (cross >> 32) + (other >> 32);
    // As unsigned, a negative factor is 2^64 too large, which adds the other factor to the upper half.
    return static_cast<T>(high - (is_negative(a) ? y : 0) - (is_negative(b) ? x : 0));
  }
}

template <class T>
constexpr T multiply_low_add(T a, T b, T c) {
  return add(multiply_low(a, b), c);
}

template <class T>
constexpr T multiply_high_add(T a, T b, T c) {
  return add(multiply_high(a, b), c);
}

constexpr std::int32_t multiply_high_add_saturated(std::int32_t a, std::int32_t b, std::int32_t c) {
  return add_saturated(multiply_high(a, b), c);
}

template <class T>
constexpr Doubled<T> multiply_wide_add(T a, T b, Doubled<T> c) {
  return add(multiply_wide(a, b), c);
}

/// Of the lower 24 bits of both, in T, which has 32.
template <class T>
constexpr Doubled<T> multiply_24(T a, T b) {
  const auto low = [](T value) { return static_cast<T>(static_cast<T>(modular(value) << 8) >> 8); };
  return multiply_wide(low(a), low(b));
}

template <class T>
constexpr T multiply_24_low(T a, T b) {
  return static_cast<T>(multiply_24(a, b));
}

/// The upper 32 of the 48 bits.
template <class T>
constexpr T multiply_24_high(T a, T b) {
  return static_cast<T>(multiply_24(a, b) >> 16);
}

template <class T>
constexpr T multiply_24_low_add(T a, T b, T c) {
  return add(multiply_24_low(a, b), c);
}

template <class T>
constexpr T multiply_24_high_add(T a, T b, T c) {
  return add(multiply_24_high(a, b), c);
}

constexpr std::int32_t multiply_24_high_add_saturated(std::int32_t a, std::int32_t b, std::int32_t c) {
  return add_saturated(multiply_24_high(a, b), c);
}

// Quotients. What division by zero gives is left open by the ISA; of 32 bits ptxas gives all ones for both
// the quotient and the remainder.

template <class T>
constexpr T kAllOnes = static_cast<T>(~Modular<T>{0});

template <class T>
constexpr T divide(T a, T b) {
  if (b == T{0}) return kAllOnes<T>;
  if (is_negative(b) && b == static_cast<T>(-1)) return negate(a);  // the quotient may not exist in T
  return static_cast<T>(a / b);
}

template <class T>
constexpr T remainder(T a, T b) {
  if (b == T{0}) return kAllOnes<T>;
  if (is_negative(b) && b == static_cast<T>(-1)) return T{0};
  return static_cast<T>(a % b);
}

// Distances and extremes.

template <class T>
constexpr T absolute(T a) {
  return is_negative(a) ? negate(a) : a;
}

template <class T>
constexpr T absolute_difference_add(T a, T b, T c) {
  return add(c, a < b ? subtract(b, a) : subtract(a, b));
}

template <class T>
constexpr T minimum(T a, T b) {
  return a < b ? a : b;
}

template <class T>
constexpr T maximum(T a, T b) {
  return a > b ? a : b;
}

template <class T>
constexpr T minimum_relu(T a, T b) {
  return maximum(minimum(a, b), T{0});
}

template <class T>
constexpr T maximum_relu(T a, T b) {
  return maximum(maximum(a, b), T{0});
}

// Vectors in a word.

/// Element `i` of the elements of type T that a word is made of.
template <class T>
constexpr T element(std::uint32_t word, std::size_t i) {
  return static_cast<T>(word >> i * 8 * sizeof(T));
}

/// kFunction of the lower halves and of the upper halves.
template <class T, T (*kFunction)(T, T)>
constexpr std::uint32_t on_halves(std::uint32_t a, std::uint32_t b) {
  const auto half = [&](std::size_t i) {
    return static_cast<std::uint16_t>(kFunction(element<T>(a, i), element<T>(b, i)));
  };
  return half(0) | std::uint32_t{half(1)} << 16;
}

/// Four products of bytes; A and B say how the bytes of a and b are extended.
template <class A, class B>
constexpr std::uint32_t dot_4(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  for (std::size_t i = 0; i < 4; ++i) c += modular(element<A>(a, i) * element<B>(b, i));
  return c;
}

/// Two products of halves of a and bytes of b, kFirst being the first of them.
template <class A, class B, std::size_t kFirst>
constexpr std::uint32_t dot_2(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  for (std::size_t i = 0; i < 2; ++i) c += modular(element<A>(a, i) * element<B>(b, kFirst + i));
  return c;
}

// Extended precision. The flag is the carry, or the borrow.

template <class T>
constexpr Flagged<T> add_with_carry(T a, T b, bool carry) {
  const Modular<T> sum = modular(a) + modular(b);
  const Modular<T> result = sum + (carry ? 1U : 0U);
  return {static_cast<T>(result), sum < modular(a) || result < sum};
}

template <class T>
constexpr Flagged<T> subtract_with_borrow(T a, T b, bool borrow) {
  const Modular<T> result = modular(a) - modular(b) - (borrow ? 1U : 0U);
  return {static_cast<T>(result), modular(a) < modular(b) || (borrow && a == b)};
}

template <class T>
constexpr Flagged<T> multiply_low_add_with_carry(T a, T b, T c, bool carry) {
  return add_with_carry(multiply_low(a, b), c, carry);
}

template <class T>
constexpr Flagged<T> multiply_high_add_with_carry(T a, T b, T c, bool carry) {
  return add_with_carry(multiply_high(a, b), c, carry);
}

}  // namespace lathe::runtime::ptx::integer
