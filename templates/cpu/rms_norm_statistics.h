// From a row's sum of squares to what it is multiplied by.
#pragma once

#include "cpu/element.h"

/// 1 / sqrt(mean + epsilon); with kRounds every step is rounded to X.
template <class X, bool kRounds>
inline float reciprocal_root(float sum, int count, float epsilon) {
  const float mean = sum / static_cast<float>(count);
  if constexpr (kRounds) return X::round(1.0f / __builtin_sqrtf(X::round(X::round(mean) + epsilon)));
  return 1.0f / __builtin_sqrtf(mean + epsilon);
}
