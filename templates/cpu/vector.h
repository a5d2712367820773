// Vectors of floats as wide as the target's registers. Vector extensions of Clang; no intrinsics, no system
// headers.
#pragma once

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

using Floats = float __attribute__((ext_vector_type(kLanes)));
using Words = unsigned __attribute__((ext_vector_type(kLanes)));
using Halfwords = unsigned short __attribute__((ext_vector_type(kLanes)));

/// All lanes added, halves onto halves.
inline float sum_of_lanes(Floats v) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) v[i] += v[i + width];
  }
  return v[0];
}
