// From a row's sum of squares to what it is multiplied by.
#pragma once

#include "cuda/element.cuh"

/// 1 / sqrt(mean + epsilon); with kRounds every step is rounded to X.
template <class X, bool kRounds>
__device__ inline float reciprocal_root(float sum, int count, float epsilon) {
  const float mean = sum / static_cast<float>(count);
  if constexpr (kRounds) return rounded<X>(1.0f / sqrtf(rounded<X>(rounded<X>(mean) + epsilon)));
  return 1.0f / sqrtf(mean + epsilon);
}
