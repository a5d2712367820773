// The hyperbolic tangent of small numbers, floats or vectors of them.
#pragma once

/// Squares of numbers up to here are small.
constexpr float kTanhSeriesEnd = 0.09f;

/// tanh(x) / x of the square of x, to 6e-8.
template <class Float>
inline Float tanh_over(Float square) {
  Float sum = square * (62.0f / 2835) + -17.0f / 315;
  sum = sum * square + 2.0f / 15;
  sum = sum * square + -1.0f / 3;
  return sum * square + 1.0f;
}
