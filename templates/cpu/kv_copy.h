// Copies of a few bytes to many.
#pragma once

#include "cpu/vector.h"

using CopyVector = unsigned char __attribute__((ext_vector_type(4 * kRegisterLanes)));

/// Past the caches, for what does not fit into them: that spares reading the lines that are overwritten.
template <long long kBytes>
inline void copy_streaming(char* to, const char* from) {
  constexpr long long kVector = sizeof(CopyVector);
  long long i = 0;
  for (; i + kVector <= kBytes; i += kVector) {
    CopyVector vector;
    __builtin_memcpy(&vector, from + i, kVector);
    __builtin_nontemporal_store(vector, reinterpret_cast<CopyVector*>(to + i));
  }
  if constexpr (kBytes % kVector != 0) __builtin_memcpy(to + i, from + i, kBytes % kVector);
}
