#include "tests/reference/rms_norm_backward.h"

#include <cmath>
#include <cstddef>

#include "tests/reference/rounding.h"

namespace lathe::reference {

namespace {

constexpr double kUnit = 0x1p-24;

double middle(Bounds bounds) {
  return std::isfinite(bounds.low) && std::isfinite(bounds.high) ? (bounds.low + bounds.high) / 2
                                                                 : bounds.low;
}

/// What rstd's own uncertainty adds to anything that is proportional to it.
double relative_width(Bounds bounds) {
  const double center = middle(bounds);
  return std::isfinite(center) && center != 0 ? (bounds.high - bounds.low) / center : 0;
}

Bounds rstd_of(const RmsNormBackwardSpec& spec, const GradientRow& row, double epsilon) {
  if (spec.load_rstd) return {row.rstd, row.rstd};
  return rounded(f32, reciprocal_root(spec.casting, spec.dtype, row.x, epsilon));
}

/// weight + offset as the forward sees it; ones without a weight.
std::vector<double> factors_of(const RmsNormBackwardSpec& spec, const std::vector<double>& weight,
                               std::size_t count) {
  std::vector<double> factors(count, 1.0);
  for (std::size_t i = 0; i < weight.size(); ++i) {
    factors[i] = rounded_to(f32, weight[i] + spec.weight_offset);
    if (spec.casting == Casting::none) factors[i] = rounded_to(spec.dtype, factors[i]);
  }
  return factors;
}

std::vector<Bounds> dx_of(const RmsNormBackwardSpec& spec, const GradientRow& row, Bounds rstd_bounds,
                          const std::vector<double>& factors) {
  const std::size_t count = row.x.size();
  const double rstd = middle(rstd_bounds);
  const double spread = relative_width(rstd_bounds);
  double sum = 0;
  double magnitudes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double product = row.dy[i] * factors[i] * (row.x[i] * rstd);
    sum += product;
    magnitudes += std::abs(product);
  }
  const double mean = sum / static_cast<double>(count);
  const double mean_error =
      (sum_error(magnitudes, count) + magnitudes * (4 * kUnit + spread)) / static_cast<double>(count);
  std::vector<Bounds> dx;
  for (std::size_t i = 0; i < count; ++i) {
    const double straight = rstd * (row.dy[i] * factors[i]);
    const double n = row.x[i] * rstd;
    const double shared = rstd * (n * mean);
    const double added = row.dresidual.empty() ? 0.0 : row.dresidual[i];
    const double value = straight - shared + added;
    const double error = (std::abs(straight) + std::abs(shared)) * (6 * kUnit + 3 * spread) +
                         std::abs(rstd * n) * mean_error + std::abs(value) * 2 * kUnit +
                         (1 + std::abs(rstd)) * 0x1p-145;
    dx.push_back(std::isfinite(value) ? rounded(spec.dtype, rounded(f32, {value - error, value + error}))
                                      : Bounds{value, value});
  }
  return dx;
}

/// One column's sum over rows.
struct ColumnSum {
  Bounds sum;
  double magnitudes = 0;

  void add(Bounds term) {
    sum = {sum.low + term.low, sum.high + term.high};
    magnitudes += std::fmax(std::abs(term.low), std::abs(term.high));
  }
};

}  // namespace

RmsNormGradient rms_norm_backward(const RmsNormBackwardSpec& spec, const std::vector<GradientRow>& rows,
                                  const std::vector<double>& weight, const std::vector<double>& dw_before,
                                  double epsilon) {
  RmsNormGradient gradient;
  const auto count = static_cast<std::size_t>(spec.hidden_size);
  const std::vector<double> factors = factors_of(spec, weight, count);
  std::vector<ColumnSum> columns(count);
  for (const GradientRow& row : rows) {
    const Bounds rstd = rstd_of(spec, row, epsilon);
    gradient.dx.push_back(dx_of(spec, row, rstd, factors));
    for (std::size_t i = 0; i < count; ++i) {
      Bounds n = widened(times(rstd, row.x[i]));
      if (spec.casting != Casting::gemma) n = rounded(spec.dtype, n);
      columns[i].add(times(n, row.dy[i]));
    }
  }
  const DType dtype = spec.dw_dtype.value_or(spec.weight_dtype.value_or(spec.dtype));
  for (std::size_t i = 0; i < count; ++i) {
    const double before = dw_before.empty() ? 0.0 : dw_before[i];
    const double error = sum_error(columns[i].magnitudes, rows.size()) +
                         (std::abs(before) + columns[i].magnitudes) * 2 * kUnit;
    const Bounds sum{columns[i].sum.low + before, columns[i].sum.high + before};
    gradient.dw.push_back(std::isfinite(sum.low) && std::isfinite(sum.high)
                              ? rounded(dtype, rounded(f32, {sum.low - error, sum.high + error}))
                              : sum);
  }
  return gradient;
}

}  // namespace lathe::reference
