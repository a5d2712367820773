// One of the target's vector registers full of floats, for code that counts them.
#pragma once

#include "cpu/vector.h"

using RegisterFloats = float __attribute__((ext_vector_type(kRegisterLanes)));
using RegisterInts = int __attribute__((ext_vector_type(kRegisterLanes)));

inline RegisterFloats load_register(const float* from) {
  RegisterFloats values;
  __builtin_memcpy(&values, from, sizeof values);
  return values;
}
inline void store_register(float* to, RegisterFloats values) {
  __builtin_memcpy(to, &values, sizeof values);
}

template <int... kI>
inline RegisterInts lane_numbers(Indices<kI...>) {
  return RegisterInts{kI...};
}
/// 0, 1, 2 ...
inline RegisterInts lane_numbers() {
  return lane_numbers(Counting<kRegisterLanes>{});
}

template <int kBy, int... kI>
inline RegisterFloats rotated_lanes(RegisterFloats v, Indices<kI...>) {
  return __builtin_shufflevector(v, v, ((kI + kBy) % kRegisterLanes)...);
}

/// In every lane the sum of all, halves added onto halves.
template <int kWidth = kRegisterLanes / 2>
inline RegisterFloats sum_in_lanes(RegisterFloats v) {
  if constexpr (kWidth == 0) {
    return v;
  } else {
    return sum_in_lanes<kWidth / 2>(v + rotated_lanes<kWidth>(v, Counting<kRegisterLanes>{}));
  }
}

inline RegisterFloats larger(RegisterFloats a, RegisterFloats b) {
  return a > b ? a : b;
}

/// In every lane the largest of all.
template <int kWidth = kRegisterLanes / 2>
inline RegisterFloats largest_in_lanes(RegisterFloats v) {
  if constexpr (kWidth == 0) {
    return v;
  } else {
    return largest_in_lanes<kWidth / 2>(larger(v, rotated_lanes<kWidth>(v, Counting<kRegisterLanes>{})));
  }
}
