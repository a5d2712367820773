// Rounding to the 16-bit and fp8 types, one value at a time, from the definitions. Nothing clever: this is
// what kernels are judged by.
#pragma once

#include <cstdint>

#include <lathe/dtype.h>

namespace lathe::reference {

/// The value rounded to the dtype, to nearest with ties to even; f32 rounds too. Overflow goes to infinity,
/// of e4m3 and e5m2 to the largest finite value. NaN stays NaN.
double rounded_to(DType dtype, double value);

/// The bits of an f16, bf16, e4m3 or e5m2 and back; fp8 in the lower byte.
std::uint16_t bits_of(DType dtype, double value);
double value_of(DType dtype, std::uint16_t bits);

/// The distance between the dtype's numbers around a value.
double spacing(DType dtype, double value);

}  // namespace lathe::reference
