#include "tools/lathe/check_rms_norm.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tools/lathe/elements.h"

namespace lathe::tools {

namespace {

/// Half the distance between neighbours, relative to the number: what one rounding costs at most.
double unit_roundoff(DType dtype) {
  if (dtype == bf16) return std::ldexp(1.0, -8);
  return std::ldexp(1.0, dtype == f16 ? -11 : -24);
}

double element(std::span<const std::byte> elements, DType dtype, std::size_t index) {
  return load_element(dtype, elements.data() + index * size_of(dtype));
}

double rounded(DType dtype, double value) {
  std::byte bits[8];
  store_element(dtype, value, bits);
  return load_element(dtype, bits);
}

/// The row that is normalised: x, plus the residual if there is one.
void load_row(const RmsNormSpec& spec, const RmsNormData& data, std::size_t first, std::vector<double>& row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = element(data.x, spec.dtype, first + i);
    if (spec.residual == Residual::none) continue;
    row[i] += element(data.residual_in, spec.dtype, first + i);
    if (spec.residual == Residual::round_then_norm) row[i] = rounded(spec.dtype, row[i]);
  }
}

double inverse_rms(const std::vector<double>& row, double epsilon) {
  double sum = 0;
  for (const double value : row) sum += value * value;
  return 1.0 / std::sqrt(sum / static_cast<double>(row.size()) + epsilon);
}

}  // namespace

RmsNormCheck check_rms_norm(const RmsNormSpec& spec, std::int64_t rows, const RmsNormData& data) {
  RmsNormCheck check;
  // One rounding of the result, for llama one before it, and a margin for the arithmetic in fp32: sums of up
  // to 2^18 squares, and reciprocal square roots that are off by a few units.
  const int roundings = spec.casting == Casting::llama ? 2 : 1;
  check.limit = roundings * 1.01 * unit_roundoff(spec.dtype) + 32 * unit_roundoff(f32);
  // Below this, an element of the dtype has fewer digits, and a relative error says nothing.
  const double floor = spec.dtype == f16 ? std::ldexp(1.0, -14) : std::ldexp(1.0, -120);
  std::vector<double> row(static_cast<std::size_t>(spec.hidden_size));
  const auto count = static_cast<std::size_t>(rows * spec.heads);
  for (std::size_t r = 0; r < count; ++r) {
    const std::size_t first = r * row.size();
    load_row(spec, data, first, row);
    const double rstd = inverse_rms(row, data.epsilon);
    for (std::size_t i = 0; i < row.size(); ++i) {
      double exact = row[i] * rstd;
      if (spec.has_weight) {
        exact *= element(data.weight, spec.weight_dtype.value_or(spec.dtype), i) + spec.weight_offset;
      }
      const double error =
          std::fabs(element(data.y, spec.dtype, first + i) - exact) / std::max(std::fabs(exact), floor);
      // A NaN must win every comparison.
      if (!(error <= check.max_error)) check.max_error = error;
      if (std::isnan(error)) return check;
    }
  }
  return check;
}

}  // namespace lathe::tools
