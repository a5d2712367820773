#include "tests/reference/rms_norm.h"

#include <algorithm>
#include <cmath>

#include "tests/reference/rounding.h"

namespace lathe::reference {

namespace {

/// Two roundings of float arithmetic, and the smallest number that is not flushed. What is exactly zero or
/// infinite stays so.
Bounds widened(Bounds bounds, double relative_error = 2 * 0x1p-24) {
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

/// What is normalised: x, or a sum in float.
std::vector<double> residual_sum(const RmsNormSpec& spec, const std::vector<double>& x,
                                 const std::vector<double>& residual) {
  if (residual.empty()) return x;
  const bool rounds = spec.residual == Residual::round_then_norm || spec.casting == Casting::none;
  std::vector<double> sum(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum[i] = rounded_to(f32, x[i] + residual[i]);
    if (rounds) sum[i] = rounded_to(spec.dtype, sum[i]);
  }
  return sum;
}

/// A float sum of `count` positive terms. Kernels add at most a few hundred of them one after the other, then
/// partial sums; each may lose a denormal; the total may overflow.
Bounds sum_in_float(double sum, std::size_t count) {
  if (sum == 0 || !std::isfinite(sum)) return {sum, sum};
  const double relative = (4 + std::sqrt(static_cast<double>(std::min<std::size_t>(count, 4096)))) * 0x1p-24;
  const double room = sum * relative + static_cast<double>(count) * 0x1p-150;
  return rounded(f32, {std::max(0.0, sum - room), sum + room});
}

Bounds reciprocal_root(const RmsNormSpec& spec, const std::vector<double>& values, double epsilon) {
  const auto step = [&](Bounds bounds) {
    return spec.casting == Casting::none ? rounded(spec.dtype, bounds) : bounds;
  };
  double sum = 0;
  for (const double value : values) sum += step({value * value, value * value}).low;
  if (std::isnan(sum)) return {sum, sum};
  const auto count = static_cast<double>(values.size());
  const Bounds total = sum_in_float(sum, values.size());
  const Bounds mean = step(widened({total.low / count, total.high / count}));
  const Bounds shifted = step(widened({mean.low + epsilon, mean.high + epsilon}));
  return step(widened({1 / std::sqrt(shifted.high), 1 / std::sqrt(std::max(0.0, shifted.low))}));
}

}  // namespace

RmsNormRow rms_norm(const RmsNormSpec& spec, const std::vector<double>& x,
                    const std::vector<double>& residual, const std::vector<double>& weight, double epsilon) {
  RmsNormRow row;
  const std::vector<double> values = residual_sum(spec, x, residual);
  const Bounds rstd = reciprocal_root(spec, values, epsilon);
  row.rstd = rounded(f32, rstd);
  for (std::size_t i = 0; i < values.size(); ++i) {
    Bounds y = widened(times(rstd, values[i]));
    if (spec.casting != Casting::gemma) y = rounded(spec.dtype, y);
    if (!weight.empty()) {
      double w = rounded_to(f32, weight[i] + spec.weight_offset);
      if (spec.casting == Casting::none) w = rounded_to(spec.dtype, w);
      y = widened(times(y, w));
    }
    row.y.push_back(rounded(spec.dtype, y));
    if (!residual.empty()) row.residual_out.push_back(rounded_to(spec.dtype, values[i]));
  }
  return row;
}

}  // namespace lathe::reference
