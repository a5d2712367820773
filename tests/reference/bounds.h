// Bounds: the interval that careful float arithmetic may land in.
#pragma once

#include <cstddef>
#include <vector>

#include <lathe/dtype.h>
#include <lathe/rms_norm.h>

namespace lathe::reference {

/// The values that a careful float evaluation may give. Where no intermediate value lies at a rounding
/// boundary, `low` and `high` are one number or neighbours.
struct Bounds {
  double low = 0;
  double high = 0;
};

/// Two roundings of float arithmetic, and the smallest number that is not flushed. What is exactly zero or
/// infinite stays so.
Bounds widened(Bounds bounds, double relative_error = 2 * 0x1p-24);

Bounds rounded(DType dtype, Bounds bounds);

Bounds times(Bounds bounds, double factor);

/// A row's 1 / sqrt(mean + epsilon), of f32; with Casting::none every step rounded to dtype.
Bounds reciprocal_root(Casting casting, DType dtype, const std::vector<double>& values, double epsilon);

/// What a float sum of `count` terms with magnitudes that add up to `magnitudes` may be off. Kernels add at
/// most a few thousand of them one after the other, then partial sums.
double sum_error(double magnitudes, std::size_t count);

}  // namespace lathe::reference
