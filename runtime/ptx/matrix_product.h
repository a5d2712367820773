// The product of two small matrices and the element types of mma: pure functions.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "runtime/ptx/float_values.h"
#include "runtime/ptx/half.h"

namespace lathe::runtime::ptx {

constexpr unsigned kProductColumns = 8;
constexpr unsigned kMaxProductRows = 16;
constexpr unsigned kMaxProductDepth = 32;

/// One mma, in double: of every element type the values are values of double, and but for f64 the products
/// too.
struct MatrixProduct {
  std::array<std::array<double, kMaxProductDepth>, kMaxProductRows> a;
  std::array<std::array<double, kProductColumns>, kMaxProductDepth> b;
  std::array<std::array<double, kProductColumns>, kMaxProductRows> c;
};

inline double plain_multiply_add(double a, double b, double c) {
  return a * b + c;
}
/// Rounded once, as mma of f64 is.
inline double fused_multiply_add(double a, double b, double c) {
  return std::fma(a, b, c);
}

/// c += a * b: products are added to c one after the other, in the order of the columns of a. The ISA asks
/// for sums of at least single precision (half, where the accumulator is f16) in an order that it leaves
/// open, and tensor cores of different generations differ there. So this is a result that a device may give:
/// exact sums but for the last bits of a double, rounded once when they are stored. Integers stay exact, and
/// f64 has the precision of fma.
template <double (*kMultiplyAdd)(double, double, double)>
void accumulate_product(MatrixProduct& product, unsigned rows, unsigned depth) {
  for (unsigned row = 0; row < rows; ++row) {
    auto sums = product.c[row];
    for (unsigned k = 0; k < depth; ++k) {
      for (unsigned column = 0; column < kProductColumns; ++column)
        sums[column] = kMultiplyAdd(product.a[row][k], product.b[k][column], sums[column]);
    }
    product.c[row] = sums;
  }
}

// Element types: what a register holds, how many elements, and their values.

template <unsigned kBits, double (*kValue)(std::uint32_t)>
struct PackedElements {
  using Register = std::uint32_t;
  static constexpr unsigned kCount = 32 / kBits;
  static double value(Register bits, unsigned i) { return kValue(bits >> (i * kBits)); }
};

inline double f16_value(std::uint32_t bits) {
  return double{f16_to_float(static_cast<std::uint16_t>(bits))};
}
inline double bf16_value(std::uint32_t bits) {
  return double{bf16_to_float(static_cast<std::uint16_t>(bits))};
}
inline double tf32_value(std::uint32_t bits) {
  return double{tf32_to_float(bits)};
}
inline double f32_value(std::uint32_t bits) {
  return double{std::bit_cast<float>(bits)};
}
inline double e4m3_value(std::uint32_t bits) {
  return double{e4m3_to_float(static_cast<std::uint8_t>(bits))};
}
inline double e5m2_value(std::uint32_t bits) {
  return double{e5m2_to_float(static_cast<std::uint8_t>(bits))};
}
inline double s8_value(std::uint32_t bits) {
  return static_cast<std::int8_t>(bits);
}
inline double u8_value(std::uint32_t bits) {
  return static_cast<std::uint8_t>(bits);
}
inline double s32_value(std::uint32_t bits) {
  return static_cast<std::int32_t>(bits);
}

struct F64Elements {
  using Register = std::uint64_t;
  static constexpr unsigned kCount = 1;
  static double value(Register bits, unsigned) { return std::bit_cast<double>(bits); }
  static Register packed(double value) { return to_bits(canonical(value)); }
};

// Those of accumulators, which are packed again.

struct F32Elements : PackedElements<32, f32_value> {
  static Register packed(double value) { return to_bits(narrowed<float>(value)); }
};
struct F16Elements : PackedElements<16, f16_value> {
  static Register packed(double value) { return narrowed<F16>(value).bits; }
};
/// Sums of at most 32 products of bytes and one s32 are exact in double.
struct S32Elements : PackedElements<32, s32_value> {
  static Register packed(double value) { return static_cast<Register>(static_cast<std::int64_t>(value)); }
};
/// .satfinite
struct SaturatedElements : S32Elements {
  static Register packed(double value) {
    return S32Elements::packed(std::fmin(std::fmax(value, -0x1p31), 0x1p31 - 1));
  }
};

}  // namespace lathe::runtime::ptx
