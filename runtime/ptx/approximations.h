// The approximate functions of PTX. Results are those of double arithmetic, rounded once: well within the
// errors that the ISA allows (from 2^-10.987 for tanh of f16 to 1 ulp), but not bit for bit a GPU's. Where
// the ISA lists results of special operands, they are as listed.
#pragma once

#include "runtime/ptx/float_values.h"

namespace lathe::runtime::ptx {

double sine_of(double x);
double cosine_of(double x);
double logarithm_of(double x);  ///< base 2
double power_of_two(double x);
double tangent_of(double x);  ///< hyperbolic
double reciprocal_of(double x);
double square_root_of(double x);
double reciprocal_root_of(double x);

/// kFunction of one of the types. kFlushes: .ftz.
template <double (*kFunction)(double), bool kFlushes, class T>
T approximation(T x) {
  const auto subnormals_flushed = [](T value) { return kFlushes ? flushed(value) : value; };
  return subnormals_flushed(narrowed<T>(kFunction(widened(subnormals_flushed(x)))));
}

/// div.approx: 0 where |b| > 2^126, and NaN if a is infinite, too.
float approximate_quotient(float a, float b);
/// div.full.
float full_range_quotient(float a, float b);

/// rcp and rsqrt .approx.ftz.f64, which look at the upper 32 bits and leave the lower ones of the result 0.
double gross_reciprocal(double x);
double gross_reciprocal_root(double x);

}  // namespace lathe::runtime::ptx
