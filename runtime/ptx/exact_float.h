// Exact results of floating-point operations, and their rounding to any binary format in any direction: with
// integers only, so that neither the rounding mode nor the instruction set of the CPU matters.
#pragma once

#include <cstdint>

#include "runtime/ptx/rounding.h"

namespace lathe::runtime::ptx {

__extension__ typedef unsigned __int128 uint128;

/// A binary interchange format: sign, exponent, mantissa without its leading bit.
struct FloatFormat {
  unsigned exponent_bits;
  unsigned mantissa_bits;
  bool has_infinity = true;  ///< false: only all ones is a NaN, and there is no infinity

  constexpr int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  /// Of the lowest bit of a subnormal value.
  constexpr int lowest_exponent() const { return 1 - bias() - static_cast<int>(mantissa_bits); }
  constexpr std::uint64_t sign() const { return std::uint64_t{1} << (exponent_bits + mantissa_bits); }
  constexpr std::uint64_t smallest_normal() const { return std::uint64_t{1} << mantissa_bits; }
  constexpr std::uint64_t infinity() const { return sign() - smallest_normal(); }
  constexpr std::uint64_t largest() const { return has_infinity ? infinity() - 1 : sign() - 2; }
  /// The canonical one, as GPUs produce it and math_constants.h has it.
  constexpr std::uint64_t nan() const { return mantissa_bits == 52 ? 0xfff8000000000000U : sign() - 1; }
};

constexpr FloatFormat kF64{11, 52};
constexpr FloatFormat kF32{8, 23};
constexpr FloatFormat kTf32{8, 10};
constexpr FloatFormat kF16{5, 10};
constexpr FloatFormat kBf16{8, 7};
constexpr FloatFormat kE5m2{5, 2};
constexpr FloatFormat kE4m3{4, 3, false};

/// (-1)^is_negative * magnitude * 2^exponent, or zero, infinity or NaN. The lowest bit of a magnitude above
/// 2^60 may stand for whatever nonzero is below it, which no rounding can tell from the exact value.
struct ExactFloat {
  enum class Kind : std::uint8_t { zero, finite, infinite, nan };
  Kind kind = Kind::nan;
  bool is_negative = false;
  int exponent = 0;
  uint128 magnitude = 0;
};

ExactFloat exact(std::uint64_t bits, const FloatFormat& format);
ExactFloat exact(double value);  ///< a float, too
ExactFloat exact_integer(bool is_negative, std::uint64_t magnitude);

/// Factors have at most 53 bits.
ExactFloat exact_product(const ExactFloat& a, const ExactFloat& b);
/// One summand has at most 106 bits, the other 53. The direction decides the sign of a difference that is 0.
ExactFloat exact_sum(const ExactFloat& a, const ExactFloat& b, Rounding rounding);
/// Both have at most 53 bits.
ExactFloat exact_quotient(const ExactFloat& a, const ExactFloat& b);
ExactFloat exact_root(const ExactFloat& a);

/// The bits of the value in a format.
std::uint64_t rounded(const ExactFloat& value, const FloatFormat& format, Rounding rounding,
                      Overflow overflow = Overflow::infinity);

}  // namespace lathe::runtime::ptx
