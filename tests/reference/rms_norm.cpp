#include "tests/reference/rms_norm.h"

#include <algorithm>
#include <cmath>

#include "tests/reference/rounding.h"

namespace lathe::reference {

namespace {

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

}  // namespace

RmsNormRow rms_norm(const RmsNormSpec& spec, const std::vector<double>& x,
                    const std::vector<double>& residual, const std::vector<double>& weight, double epsilon) {
  RmsNormRow row;
  const std::vector<double> values = residual_sum(spec, x, residual);
  const Bounds rstd = reciprocal_root(spec.casting, spec.dtype, values, epsilon);
  row.rstd = rounded(f32, rstd);
  for (std::size_t i = 0; i < values.size(); ++i) {
    Bounds y = widened(times(rstd, values[i]));
    if (spec.casting != Casting::gemma) y = rounded(spec.dtype, y);
    if (!weight.empty()) {
      double w = rounded_to(f32, weight[i] + spec.weight_offset);
      if (spec.casting == Casting::none) w = rounded_to(spec.dtype, w);
      y = widened(times(y, w));
    }
    const bool rounds = spec.round_to_dtype || spec.casting == Casting::none ||
                        spec.y_dtype.value_or(spec.dtype) == spec.dtype;
    row.y.push_back(rounded(rounds ? spec.dtype : f32, y));
    if (!residual.empty()) row.residual_out.push_back(rounded_to(spec.dtype, values[i]));
  }
  return row;
}

Bounds stored(const RmsNormSpec& spec, Bounds y, double scale) {
  const DType dtype = spec.y_dtype.value_or(spec.dtype);
  if (spec.y_scale == OutputScale::none) return rounded(dtype, y);
  const Bounds inverse = rounded(f32, widened({1 / scale, 1 / scale}));
  return rounded(dtype, widened({std::fmin(y.low * inverse.low, y.low * inverse.high),
                                 std::fmax(y.high * inverse.low, y.high * inverse.high)}));
}

Bounds scale_of(const RmsNormSpec& spec, const std::vector<RmsNormRow>& rows, std::size_t begin,
                std::size_t end, double amax_floor) {
  const double largest_element = spec.y_dtype == e4m3 ? 448 : 57344;
  Bounds largest{amax_floor, amax_floor};
  for (const RmsNormRow& row : rows) {
    for (std::size_t i = begin; i < end; ++i) {
      const Bounds y = row.y[i];
      if (std::isnan(y.low) || std::isnan(y.high)) continue;
      const bool crosses_zero = y.low < 0 && y.high > 0;
      const double smallest = crosses_zero ? 0 : std::fmin(std::abs(y.low), std::abs(y.high));
      largest.low = std::fmax(largest.low, smallest);
      largest.high = std::fmax(largest.high, std::fmax(std::abs(y.low), std::abs(y.high)));
    }
  }
  return rounded(f32, widened({largest.low / largest_element, largest.high / largest_element}));
}

}  // namespace lathe::reference
