#include "runtime/ptx/approximations.h"

#include <cmath>

namespace lathe::runtime::ptx {

namespace {

/// The upper half of a double.
constexpr FloatFormat kUpperHalf{11, 20};
constexpr std::uint64_t kUpperBits = 0xffffffff00000000U;

template <double (*kFunction)(double)>
double gross(double x) {
  const double operand = flushed(from_bits<double>(to_bits(x) & kUpperBits));
  if (is_nan(operand)) return canonical(operand);
  const double result = canonical(flushed(kFunction(operand)));
  if (is_nan(result)) return result;
  const std::uint64_t upper = rounded(exact(result), kUpperHalf, Rounding::nearest_even);
  return from_bits<double>(upper << 32);
}

}  // namespace

double sine_of(double x) {
  return std::sin(x);
}

double cosine_of(double x) {
  return std::cos(x);
}

double logarithm_of(double x) {
  return std::log2(x);
}

double power_of_two(double x) {
  return std::exp2(x);
}

double tangent_of(double x) {
  return std::tanh(x);
}

double reciprocal_of(double x) {
  return 1 / x;
}

double square_root_of(double x) {
  return std::sqrt(x);
}

double reciprocal_root_of(double x) {
  return 1 / std::sqrt(x);
}

float approximate_quotient(float a, float b) {
  const float magnitude = absolute(b);
  // The hardware multiplies by the reciprocal, which is too small there.
  if (magnitude > 0x1p126F && !std::isinf(magnitude)) return canonical(a * with_sign_of(b, 0.0F));
  return full_range_quotient(a, b);
}

float full_range_quotient(float a, float b) {
  return canonical(a / b);
}

double gross_reciprocal(double x) {
  return gross<reciprocal_of>(x);
}

double gross_reciprocal_root(double x) {
  return gross<reciprocal_root_of>(x);
}

}  // namespace lathe::runtime::ptx
