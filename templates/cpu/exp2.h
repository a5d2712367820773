// Powers of two and what is made of them, for registers of floats.
#pragma once

#include "common/tanh_series.h"
#include "cpu/register.h"

/// 2^x to some two units in the last place, 1 for 0; 0 below -126.5; NaN for NaN. REQUIRES: x below 127.5.
///
/// The nearest integer goes into the exponent, what is left, up to a half, into a polynomial: the minimax one
/// of degree 6, relative error 2e-9 before rounding.
inline RegisterFloats exp2_of(RegisterFloats x) {
  // Beside 1.5 * 2^23 floats are a unit apart: adding it rounds to integers, in the lowest bits.
  constexpr float kRounding = 12582912.0f;
  x = x < -127.0f ? RegisterFloats(-127.0f) : x;
  const RegisterFloats shifted = x + kRounding;
  const RegisterFloats rest = x - (shifted - kRounding);
  RegisterFloats power = rest * 0x1.41d334p-13f + 0x1.5f456ap-10f;
  power = power * rest + 0x1.3b2dbcp-7f;
  power = power * rest + 0x1.c6aed4p-5f;
  power = power * rest + 0x1.ebfbdap-3f;
  power = power * rest + 0x1.62e430p-1f;
  power = power * rest + 1.0f;
  const RegisterInts scale = (__builtin_bit_cast(RegisterInts, shifted) << 23) + (127 << 23);
  // A product and not a sum of exponents: NaN stays NaN, and -127 becomes 0.
  return power * __builtin_bit_cast(RegisterFloats, scale);
}

inline float exp2_of(float x) {
  return exp2_of(RegisterFloats(x))[0];
}

constexpr float kLog2E = 0x1.715476p+0f;

/// To some 5e-7 of the result, however small that is.
inline RegisterFloats tanh_of(RegisterFloats x) {
  // Beyond, the result is one.
  constexpr float kFar = 20.0f;
  RegisterFloats near = x > kFar ? RegisterFloats(kFar) : x;
  near = near < -kFar ? RegisterFloats(-kFar) : near;
  const RegisterFloats far = 1.0f - 2.0f / (exp2_of(near * (2.0f * kLog2E)) + 1.0f);
  // Where the difference from one would lose digits.
  const RegisterFloats square = x * x;
  return square < kTanhSeriesEnd ? x * tanh_over(square) : far;
}
