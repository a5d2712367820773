// Elements: the values of small number formats as doubles and back, one at a time.
#pragma once

#include <cstddef>

#include <lathe/dtype.h>

namespace lathe::tools {

/// Stores `value`, rounded to nearest even, as an element of a floating-point dtype. Beyond the largest
/// value: infinity, or for e4m3, which has none, NaN. One rounding, so a double is not first made a float.
/// REQUIRES: room for size_of(dtype) bytes; dtype is f32, f16, bf16, e4m3 or e5m2.
void store_element(DType dtype, double value, void* to);

/// The exact value of an element. REQUIRES: as above.
double load_element(DType dtype, const void* from);

/// True for f32, f16, bf16, e4m3 and e5m2.
bool is_floating(DType dtype);

}  // namespace lathe::tools
