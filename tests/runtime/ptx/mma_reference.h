// mma as the ISA's tables describe it: which element each lane holds, and the product in double. Independent
// of the emulator: elements are numbered as there, through all registers of an operand.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace lathe::tests::mma {

struct At {
  unsigned row = 0;
  unsigned column = 0;
};

/// Of element i of the lane with this group ID and this thread ID in its group.
using Place = At (*)(unsigned group, unsigned thread, unsigned i);

struct Shape {
  std::string_view name;
  unsigned bits;  ///< of an element of A and B
  unsigned rows;
  unsigned depth;
  Place a;
  Place b;
};

inline unsigned lower_if(bool is_lower) {
  return is_lower ? 8 : 0;
}

// clang-format off
inline const Shape kShapes[] = {
    {"m16n8k8", 16, 16, 8,
     [](unsigned g, unsigned t, unsigned i) { return At{g + lower_if(i >= 2), t * 2 + (i & 1)}; },
     [](unsigned g, unsigned t, unsigned i) { return At{t * 2 + i, g}; }},
    {"m16n8k16", 16, 16, 16,
     [](unsigned g, unsigned t, unsigned i) {
       return At{g + lower_if(!(i < 2 || (4 <= i && i < 6))), t * 2 + (i & 1) + (i < 4 ? 0 : 8)};
     },
     [](unsigned g, unsigned t, unsigned i) { return At{t * 2 + (i & 1) + (i < 2 ? 0 : 8), g}; }},
    {"m16n8k4", 32, 16, 4,
     [](unsigned g, unsigned t, unsigned i) { return At{g + lower_if(i == 1), t}; },
     [](unsigned g, unsigned t, unsigned) { return At{t, g}; }},
    {"m16n8k8", 32, 16, 8,
     [](unsigned g, unsigned t, unsigned i) { return At{g + lower_if(i == 1 || i == 3), t + (i < 2 ? 0 : 4)}; },
     [](unsigned g, unsigned t, unsigned i) { return At{t + (i == 0 ? 0 : 4), g}; }},
    {"m8n8k16", 8, 8, 16,
     [](unsigned g, unsigned t, unsigned i) { return At{g, t * 4 + i}; },
     [](unsigned g, unsigned t, unsigned i) { return At{t * 4 + i, g}; }},
    {"m16n8k16", 8, 16, 16,
     [](unsigned g, unsigned t, unsigned i) { return At{g + lower_if(i >= 4), t * 4 + (i & 3)}; },
     [](unsigned g, unsigned t, unsigned i) { return At{t * 4 + i, g}; }},
    {"m16n8k32", 8, 16, 32,
     [](unsigned g, unsigned t, unsigned i) {
       return At{g + lower_if(!(i < 4 || (8 <= i && i < 12))), t * 4 + (i & 3) + (i < 8 ? 0 : 16)};
     },
     [](unsigned g, unsigned t, unsigned i) { return At{t * 4 + (i & 3) + (i < 4 ? 0 : 16), g}; }},
    {"m8n8k4", 64, 8, 4,
     [](unsigned g, unsigned t, unsigned) { return At{g, t}; },
     [](unsigned g, unsigned t, unsigned) { return At{t, g}; }},
    {"m16n8k4", 64, 16, 4,
     [](unsigned g, unsigned t, unsigned i) { return At{g + lower_if(i == 1), t}; },
     [](unsigned g, unsigned t, unsigned) { return At{t, g}; }},
    {"m16n8k8", 64, 16, 8,
     [](unsigned g, unsigned t, unsigned i) { return At{g + lower_if(i == 1 || i == 3), t + (i < 2 ? 0 : 4)}; },
     [](unsigned g, unsigned t, unsigned i) { return At{t + i * 4, g}; }},
    {"m16n8k16", 64, 16, 16,
     [](unsigned g, unsigned t, unsigned i) {
       return At{g + lower_if(i % 2 != 0), i % 2 == 0 ? i * 2 + t : i * 2 - 2 + t};
     },
     [](unsigned g, unsigned t, unsigned i) { return At{t + i * 4, g}; }},
};
// clang-format on

inline At place_in_c(unsigned group, unsigned thread, unsigned i) {
  return {group + lower_if(i >= 2), thread * 2 + (i & 1)};
}

/// An element type: how many bits a register gives it, what bits mean, and finite values to multiply. Sums of
/// products of `tame` values are exact in double.
struct Element {
  std::string_view name;
  unsigned bits;
  std::function<double(std::uint64_t)> value;
  std::function<std::uint64_t(std::mt19937_64&)> tame;
};

/// A finite value of a binary format.
inline double decoded(std::uint64_t bits, unsigned exponent_bits, unsigned mantissa_bits) {
  const auto mantissa = static_cast<int>(bits & ((1U << mantissa_bits) - 1));
  const auto exponent = static_cast<int>(bits >> mantissa_bits & ((1U << exponent_bits) - 1));
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, 1 - bias - static_cast<int>(mantissa_bits))
                                         : std::ldexp(mantissa + (1 << mantissa_bits),
                                                      exponent - bias - static_cast<int>(mantissa_bits));
  return (bits >> (exponent_bits + mantissa_bits) & 1) != 0 ? -magnitude : magnitude;
}

/// Random sign and mantissa, exponent within `spread` of that of 1.
inline std::uint64_t tame_bits(std::mt19937_64& random, unsigned exponent_bits, unsigned mantissa_bits,
                               unsigned spread) {
  const std::uint64_t bias = (1U << (exponent_bits - 1)) - 1;
  const std::uint64_t exponent = bias - spread + random() % (2 * spread + 1);
  const std::uint64_t sign = random() & 1;
  const std::uint64_t mantissa = random() & ((1U << mantissa_bits) - 1);
  return (sign << exponent_bits | exponent) << mantissa_bits | mantissa;
}

inline Element float_element(std::string_view name, unsigned exponent_bits, unsigned mantissa_bits,
                             unsigned spread) {
  return {name, 1 + exponent_bits + mantissa_bits,
          [=](std::uint64_t bits) { return decoded(bits, exponent_bits, mantissa_bits); },
          [=](std::mt19937_64& random) { return tame_bits(random, exponent_bits, mantissa_bits, spread); }};
}

inline Element element(std::string_view name) {
  if (name == "f16") return float_element(name, 5, 10, 5);
  if (name == "bf16") return float_element(name, 8, 7, 8);
  if (name == "f32") return float_element(name, 8, 23, 8);
  if (name == "e4m3") return float_element(name, 4, 3, 6);
  if (name == "e5m2") return float_element(name, 5, 2, 8);
  if (name == "tf32") {  // the lower 13 bits are there, but are not looked at
    return {name, 32, [](std::uint64_t bits) { return decoded(bits >> 13, 8, 10); },
            [](std::mt19937_64& random) { return tame_bits(random, 8, 23, 6); }};
  }
  const auto any_bits = [](std::mt19937_64& random) { return random() & 0xff; };
  if (name == "s8")
    return {name, 8, [](std::uint64_t bits) { return double(static_cast<std::int8_t>(bits)); }, any_bits};
  if (name == "u8")
    return {name, 8, [](std::uint64_t bits) { return double(static_cast<std::uint8_t>(bits)); }, any_bits};
  if (name == "s32") {
    return {name, 32, [](std::uint64_t bits) { return double(static_cast<std::int32_t>(bits)); },
            [](std::mt19937_64& random) { return random() & 0xffffffff; }};
  }
  return {"f64", 64, [](std::uint64_t bits) { return std::bit_cast<double>(bits); },
          [](std::mt19937_64& random) {
            return std::bit_cast<std::uint64_t>(std::ldexp(static_cast<double>(random() % 4001) - 2000, -5));
          }};
}

/// The bits of each element, row by row.
struct Matrix {
  unsigned rows = 0;
  unsigned columns = 0;
  std::vector<std::uint64_t> bits;

  std::uint64_t& operator[](At at) { return bits[at.row * columns + at.column]; }
  std::uint64_t operator[](At at) const { return bits[at.row * columns + at.column]; }
};

inline Matrix random_matrix(unsigned rows, unsigned columns, const Element& type, std::mt19937_64& random) {
  Matrix matrix{rows, columns, {}};
  for (unsigned i = 0; i < rows * columns; ++i) matrix.bits.push_back(type.tame(random));
  return matrix;
}

/// Appends the registers of a fragment, lane by lane.
template <class R>
void append_fragment(std::vector<R>& registers, const Matrix& matrix, unsigned element_bits, Place place) {
  const unsigned per_register = 8 * sizeof(R) / element_bits;
  const unsigned elements = matrix.rows * matrix.columns / 32;
  for (unsigned first = 0; first < elements; first += per_register) {
    for (unsigned lane = 0; lane < 32; ++lane) {
      std::uint64_t value = 0;
      for (unsigned e = 0; e < per_register; ++e)
        value |= matrix[place(lane / 4, lane % 4, first + e)] << (e * element_bits);
      registers.push_back(static_cast<R>(value));
    }
  }
}

template <class R>
Matrix accumulator_of(const std::vector<R>& registers, unsigned rows, unsigned element_bits) {
  Matrix matrix{rows, 8, std::vector<std::uint64_t>(rows * 8)};
  const unsigned per_register = 8 * sizeof(R) / element_bits;
  for (std::size_t i = 0; i < registers.size(); ++i) {
    const auto lane = static_cast<unsigned>(i % 32);
    for (unsigned e = 0; e < per_register; ++e) {
      const auto element = static_cast<unsigned>(i / 32) * per_register + e;
      const std::uint64_t value = std::uint64_t{registers[i]} >> (e * element_bits);
      matrix[place_in_c(lane / 4, lane % 4, element)] = element_bits == 16 ? value & 0xffff : value;
    }
  }
  return matrix;
}

}  // namespace lathe::tests::mma
