// Values as sequences of bits, and amounts by which they are shifted.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

namespace lathe::tests {

template <class T>
constexpr unsigned kBits = 8 * sizeof(T);

inline bool bit(std::uint64_t value, unsigned i) {
  return (value >> i & 1) != 0;
}

template <class T>
std::uint64_t unsigned_value(T value) {
  return static_cast<std::make_unsigned_t<T>>(value);
}

/// The value whose bit i is is_set(i).
template <class T, class IsSet>
T from_bits(IsSet is_set) {
  std::uint64_t result = 0;
  for (unsigned i = 0; i < kBits<T>; ++i) result |= std::uint64_t{is_set(i)} << i;
  return static_cast<T>(result);
}

/// "s32"; with `kind`, "b32".
template <class T>
std::string type_name(char kind = std::is_signed_v<T> ? 's' : 'u') {
  return fmt::format("{}{}", kind, kBits<T>);
}

/// Amounts, positions and lengths around every limit.
inline std::vector<std::uint32_t> shift_amounts() {
  return {0,  1,   5,   15,  16,  17,  31,  32,  33,  40,         63,        64,
          65, 128, 250, 255, 256, 257, 288, 511, 512, 0x80000000, 0xffffffff};
}

}  // namespace lathe::tests
