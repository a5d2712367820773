// Copies of a few bytes to many.
#pragma once

#include "cpu/vector.h"

using CopyVector = unsigned char __attribute__((ext_vector_type(4 * kRegisterLanes)));

/// The steps from kStep on that `bytes` is the sum of, up to a vector. Moves both pointers behind them.
template <long long kStep>
inline void copy_steps(char*& to, const char*& from, long long bytes) {
  if constexpr (kStep < static_cast<long long>(sizeof(CopyVector))) {
    if ((bytes & kStep) != 0) {
      __builtin_memcpy(to, from, kStep);
      to += kStep;
      from += kStep;
    }
    copy_steps<2 * kStep>(to, from, bytes);
  }
}

/// Past the caches, for what does not fit into them: that spares reading the lines that are overwritten.
/// REQUIRES: kStep, a power of two, divides kBytes and the address `to`.
template <long long kBytes, long long kStep>
inline void copy_streaming(char* to, const char* from) {
  constexpr long long kVector = sizeof(CopyVector);
  const auto head = static_cast<long long>(-reinterpret_cast<unsigned long>(to) % kVector);
  copy_steps<kStep>(to, from, head);
  long long rest = kBytes - head;
  for (; rest >= kVector; rest -= kVector) {
    CopyVector vector;
    __builtin_memcpy(&vector, from, kVector);
    __builtin_nontemporal_store(vector, reinterpret_cast<CopyVector*>(to));
    to += kVector;
    from += kVector;
  }
  copy_steps<kStep>(to, from, rest);
}

/// Streaming stores are not ordered with later ones, such as the one that tells another thread of them. On
/// x86 a fence of all accesses would hold up what is read next as well.
inline void finish_streaming() {
#if defined(__SSE__)
  __builtin_ia32_sfence();
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/// A few vectors here are faster than a call; it is made for what is longer.
template <long long kBytes>
inline void copy_known(char* to, const char* from) {
  constexpr long long kVector = sizeof(CopyVector);
  constexpr long long kMost = 64 * kVector;
  if constexpr (kBytes >= kVector && kBytes <= kMost) {
    for (long long i = 0; i + kVector <= kBytes; i += kVector) {
      CopyVector vector;
      __builtin_memcpy(&vector, from + i, kVector);
      __builtin_memcpy(to + i, &vector, kVector);
    }
    if constexpr (kBytes % kVector != 0) {
      __builtin_memcpy(to + kBytes / kVector * kVector, from + kBytes / kVector * kVector, kBytes % kVector);
    }
  } else {
    __builtin_memcpy(to, from, kBytes);
  }
}

/// Lines that are read soon. Beyond some of them the processor sees the pattern itself.
template <long long kBytes>
inline void fetch_lines(const char* from) {
  constexpr long long kLine = 64;
  constexpr long long kMost = 16 * kLine;
  for (long long i = 0; i < (kBytes < kMost ? kBytes : kMost); i += kLine) __builtin_prefetch(from + i);
}
