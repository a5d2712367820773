// Rounding to the 16-bit types, one value at a time, from the definitions. Nothing clever: this is what
// kernels are judged by.
#pragma once

#include <cstdint>

#include <lathe/dtype.h>

namespace lathe::reference {

/// The value rounded to the dtype, to nearest with ties to even, overflow to infinity; f32 rounds too. NaN
/// stays NaN.
double rounded_to(DType dtype, double value);

/// The bits of an f16 or bf16 and back.
std::uint16_t bits_of(DType dtype, double value);
double value_of(DType dtype, std::uint16_t bits);

/// The distance between the dtype's numbers around a value.
double spacing(DType dtype, double value);

}  // namespace lathe::reference
