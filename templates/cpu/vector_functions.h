// Powers, logarithms and what is made of them, for whole vectors.
#pragma once

#include "cpu/exp2.h"

struct RegisterPair {
  RegisterFloats at[2];
};

/// As exp2_of() and tanh_of() of registers.
inline Floats exp2_of(Floats x) {
  const auto pair = __builtin_bit_cast(RegisterPair, x);
  return __builtin_bit_cast(Floats, RegisterPair{{exp2_of(pair.at[0]), exp2_of(pair.at[1])}});
}
inline Floats tanh_of(Floats x) {
  const auto pair = __builtin_bit_cast(RegisterPair, x);
  return __builtin_bit_cast(Floats, RegisterPair{{tanh_of(pair.at[0]), tanh_of(pair.at[1])}});
}

/// Natural logarithm, to some 2e-7 of the larger of it and 1. REQUIRES: x is normal.
///
/// x is a power of two times m, which lies around 1; log(m) is a series in s = (m - 1) / (m + 1), at most
/// 0.172, of which the next term would be 4e-10.
inline Floats log_of(Floats x) {
  constexpr unsigned kRootOfHalf = 0x3F3504F3u;
  using Ints = int __attribute__((ext_vector_type(kLanes)));
  const Words bits = __builtin_bit_cast(Words, x) - kRootOfHalf;
  const Floats exponent = __builtin_convertvector(__builtin_bit_cast(Ints, bits) >> 23, Floats);
  const Floats m = __builtin_bit_cast(Floats, (bits & 0x7FFFFFu) + kRootOfHalf);
  const Floats s = (m - 1.0f) / (m + 1.0f);
  const Floats square = s * s;
  Floats series = square * (2.0f / 9.0f) + 2.0f / 7.0f;
  series = series * square + 2.0f / 5.0f;
  series = series * square + 2.0f / 3.0f;
  series = series * square + 2.0f;
  return exponent * 0x1.62e43p-1f + series * s;
}

/// 0, 1, 2 ... kLanes - 1
template <int... kI>
inline Floats lane_floats(Indices<kI...>) {
  return Floats{static_cast<float>(kI)...};
}
inline Floats lane_floats() {
  return lane_floats(Counting<kLanes>{});
}
