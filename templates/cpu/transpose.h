// Square matrices of 32-bit words, one row per register, turned over.
#pragma once

#include "cpu/vector.h"

struct WordMatrix {
  RegisterWords rows[kRegisterLanes];
};

template <int kWidth, int... kI>
inline void exchange(RegisterWords& a, RegisterWords& b, Indices<kI...>) {
  const RegisterWords upper =
      __builtin_shufflevector(a, b, ((kI & kWidth) == 0 ? kI : kRegisterLanes + kI - kWidth)...);
  b = __builtin_shufflevector(a, b, ((kI & kWidth) == 0 ? kI + kWidth : kRegisterLanes + kI)...);
  a = upper;
}

/// Blocks of kWidth x kWidth change places across the diagonal, then the blocks within them.
template <int kWidth = kRegisterLanes / 2>
inline void transpose(WordMatrix& matrix) {
  if constexpr (kWidth > 0) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kRegisterLanes; ++i) {
      if ((i & kWidth) == 0)
        exchange<kWidth>(matrix.rows[i], matrix.rows[i + kWidth], Counting<kRegisterLanes>{});
    }
    transpose<kWidth / 2>(matrix);
  }
}
