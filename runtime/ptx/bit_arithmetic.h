// Logic, shifts, bit fields and bit searches as PTX defines them. U is an unsigned type, T any integer type.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "runtime/ptx/flagged.h"

namespace lathe::runtime::ptx::bitwise {

template <class T>
constexpr unsigned kWidth = 8 * sizeof(T);

constexpr std::uint32_t kNotFound = 0xffffffff;

// Logic.

template <class U>
constexpr U and_bits(U a, U b) {
  return static_cast<U>(a & b);
}

template <class U>
constexpr U or_bits(U a, U b) {
  return static_cast<U>(a | b);
}

template <class U>
constexpr U xor_bits(U a, U b) {
  return static_cast<U>(a ^ b);
}

template <class U>
constexpr U not_bits(U a) {
  return static_cast<U>(~a);
}

/// 1 of 0, 0 of everything else.
template <class U>
constexpr U logical_not(U a) {
  return a == 0 ? U{1} : U{0};
}

/// Each bit is the bit of the lower 8 of `table` that the bits of a, b and c are the index of, a's being the
/// highest.
constexpr std::uint32_t look_up_3(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t table) {
  std::uint32_t result = 0;
  for (unsigned index = 0; index < 8; ++index) {
    const std::uint32_t here =
        ((index & 4) != 0 ? a : ~a) & ((index & 2) != 0 ? b : ~b) & ((index & 1) != 0 ? c : ~c);
    result |= (table >> index & 1) != 0 ? here : 0;
  }
  return result;
}

constexpr Flagged<std::uint32_t> look_up_3_and(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                               std::uint32_t table, bool other) {
  const std::uint32_t result = look_up_3(a, b, c, table);
  return {result, result != 0 && other};
}

constexpr Flagged<std::uint32_t> look_up_3_or(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                              std::uint32_t table, bool other) {
  const std::uint32_t result = look_up_3(a, b, c, table);
  return {result, result != 0 || other};
}

// Shifts. All bits are gone where C++ would not say what happens.

template <class U>
constexpr U shift_left(U a, std::uint32_t amount) {
  return amount < kWidth<U> ? static_cast<U>(a << amount) : U{0};
}

/// Of a signed type the sign comes in from the left.
template <class T>
constexpr T shift_right(T a, std::uint32_t amount) {
  if (amount < kWidth<T>) return static_cast<T>(a >> amount);
  return static_cast<T>(std::is_signed_v<T> && a < T{0} ? -1 : 0);
}

/// What an amount beyond the width, or a position, means.
enum class Mode : std::uint8_t { clamp, wrap };

constexpr std::uint32_t funnel(std::uint32_t low, std::uint32_t high, std::uint32_t down) {
  const std::uint64_t both = std::uint64_t{high} << 32 | low;
  return static_cast<std::uint32_t>(both >> down);
}

/// The upper word of high:low, shifted left.
template <Mode kMode>
constexpr std::uint32_t funnel_left(std::uint32_t low, std::uint32_t high, std::uint32_t amount) {
  return funnel(low, high, 32 - (kMode == Mode::clamp ? std::min(amount, 32U) : amount % 32));
}

/// The lower word of high:low, shifted right.
template <Mode kMode>
constexpr std::uint32_t funnel_right(std::uint32_t low, std::uint32_t high, std::uint32_t amount) {
  return funnel(low, high, kMode == Mode::clamp ? std::min(amount, 32U) : amount % 32);
}

// Bit fields. Positions and lengths count modulo 256.

/// `length` ones.
template <class U>
constexpr U ones(std::uint32_t length) {
  return not_bits(shift_left(static_cast<U>(~U{0}), length));
}

/// Of a signed type the last bit of the field is copied to the left; if the field reaches beyond the value,
/// the value's last bit.
template <class T>
constexpr T extract(T a, std::uint32_t position, std::uint32_t length) {
  using U = std::make_unsigned_t<T>;
  position &= 0xff;
  length &= 0xff;
  if (length == 0) return T{0};
  const T field = shift_right(a, position);
  if (length >= kWidth<T>) return field;
  const unsigned rest = kWidth<T> - length;
  return static_cast<T>(static_cast<T>(static_cast<U>(field) << rest) >> rest);
}

/// b with the field replaced by the lowest bits of a.
template <class U>
constexpr U insert(U a, U b, std::uint32_t position, std::uint32_t length) {
  position &= 0xff;
  const U mask = shift_left(ones<U>(length & 0xff), position);
  return static_cast<U>((b & ~mask) | (shift_left(a, position) & mask));
}

/// A mask of `width` ones from a position on.
template <Mode kMode>
constexpr std::uint32_t mask(std::uint32_t position, std::uint32_t width) {
  if constexpr (kMode == Mode::wrap) {
    position %= 32;
    width %= 32;
  }
  return shift_left(ones<std::uint32_t>(width), position);
}

/// The lower `width` bits, extended with the uppermost of them if T is signed.
template <Mode kMode, class T>
constexpr T extend(T a, std::uint32_t width) {
  if (kMode == Mode::clamp && width >= kWidth<T>) return a;
  return extract(a, 0, width % kWidth<T>);
}

// Counts and searches.

template <class U>
constexpr U reverse(U a) {
  U result = 0;
  for (unsigned i = 0; i < kWidth<U>; ++i) result = static_cast<U>(result << 1 | (a >> i & 1));
  return result;
}

template <class U>
constexpr std::uint32_t count_ones(U a) {
  return static_cast<std::uint32_t>(std::popcount(a));
}

template <class U>
constexpr std::uint32_t count_leading_zeros(U a) {
  return static_cast<std::uint32_t>(std::countl_zero(a));
}

/// How far left the highest bit that is unlike the sign would have to go to become the uppermost bit.
template <class T>
constexpr std::uint32_t shift_to_leading(T a) {
  using U = std::make_unsigned_t<T>;
  const U sought = static_cast<U>(std::is_signed_v<T> && a < T{0} ? ~a : a);
  return sought == 0 ? kNotFound : count_leading_zeros(sought);
}

/// Where the highest bit that is unlike the sign is.
template <class T>
constexpr std::uint32_t find_leading(T a) {
  const std::uint32_t shift = shift_to_leading(a);
  return shift == kNotFound ? kNotFound : kWidth<T> - 1 - shift;
}

/// The set bit that is the |offset|-th from `base` on, `base` itself being the first, upward if the offset is
/// positive. 0: base, if it is set.
constexpr std::uint32_t find_nth_set(std::uint32_t a, std::uint32_t base, std::int32_t offset) {
  std::uint32_t left =
      offset < 0 ? 0U - static_cast<std::uint32_t>(offset) : static_cast<std::uint32_t>(offset);
  if (offset == 0) return shift_right(a, base) % 2 != 0 ? base : kNotFound;
  // Below 0 the position becomes very large.
  for (std::uint32_t at = base; at < 32; at += offset > 0 ? 1U : ~0U) {
    if ((a >> at & 1) != 0 && --left == 0) return at;
  }
  return kNotFound;
}

// Byte permutations. Bytes are numbered from the lowest of b:a on.

constexpr std::uint32_t byte_of(std::uint32_t a, std::uint32_t b, unsigned i) {
  return static_cast<std::uint8_t>((std::uint64_t{b} << 32 | a) >> i % 8 * 8);
}

/// Each digit of c chooses a byte; with 8 added, the byte's sign in all its bits.
constexpr std::uint32_t permute(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned choice = c >> 4 * i & 0xf;
    const std::uint32_t byte = byte_of(a, b, choice);
    const std::uint32_t sign = (byte & 0x80) != 0 ? 0xff : 0;
    result |= (choice < 8 ? byte : sign) << 8 * i;
  }
  return result;
}

/// Which byte comes to place i, given the lower two bits of c.
using Choice = unsigned (*)(unsigned i, unsigned c);

template <Choice kChoice>
constexpr std::uint32_t permute_by(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) result |= byte_of(a, b, kChoice(i, c % 4)) << 8 * i;
  return result;
}

constexpr unsigned forward_4(unsigned i, unsigned c) {
  return c + i;
}
constexpr unsigned backward_4(unsigned i, unsigned c) {
  return c - i;
}
constexpr unsigned replicate_8(unsigned, unsigned c) {
  return c;
}
constexpr unsigned clamp_left(unsigned i, unsigned c) {
  return std::max(i, c);
}
constexpr unsigned clamp_right(unsigned i, unsigned c) {
  return std::min(i, c);
}
constexpr unsigned replicate_16(unsigned i, unsigned c) {
  return c % 2 * 2 + i % 2;
}

}  // namespace lathe::runtime::ptx::bitwise
