#include "tests/reference/bounds.h"

#include <algorithm>
#include <cmath>

#include "tests/reference/rounding.h"

namespace lathe::reference {

Bounds widened(Bounds bounds, double relative_error) {
  const auto room = [&](double value) {
    return value == 0 || !std::isfinite(value) ? 0.0 : std::abs(value) * relative_error + 0x1p-149;
  };
  return {bounds.low - room(bounds.low), bounds.high + room(bounds.high)};
}

Bounds rounded(DType dtype, Bounds bounds) {
  return {rounded_to(dtype, bounds.low), rounded_to(dtype, bounds.high)};
}

Bounds times(Bounds bounds, double factor) {
  const double a = bounds.low * factor;
  const double b = bounds.high * factor;
  return {std::fmin(a, b), std::fmax(a, b)};
}

double sum_error(double magnitudes, std::size_t count) {
  const double relative = (4 + std::sqrt(static_cast<double>(std::min<std::size_t>(count, 4096)))) * 0x1p-24;
  return magnitudes * relative + static_cast<double>(count) * 0x1p-150;
}

Bounds reciprocal_root(Casting casting, DType dtype, const std::vector<double>& values, double epsilon) {
  const auto step = [&](Bounds bounds) { return casting == Casting::none ? rounded(dtype, bounds) : bounds; };
  double sum = 0;
  for (const double value : values) sum += step({value * value, value * value}).low;
  if (std::isnan(sum)) return {sum, sum};
  const auto count = static_cast<double>(values.size());
  // The sum in float may overflow.
  const double room = sum == 0 || !std::isfinite(sum) ? 0.0 : sum_error(sum, values.size());
  const Bounds total = rounded(f32, {std::max(0.0, sum - room), sum + room});
  const Bounds mean = step(widened({total.low / count, total.high / count}));
  const Bounds shifted = step(widened({mean.low + epsilon, mean.high + epsilon}));
  return step(widened({1 / std::sqrt(shifted.high), 1 / std::sqrt(std::max(0.0, shifted.low))}));
}

}  // namespace lathe::reference
