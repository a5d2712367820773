// Copies of units of 8 or 16 bytes from global to shared memory, however their addresses are aligned.
#pragma once

#include "cuda/ptx/cp_async.cuh"
#include "cuda/ptx/shared.cuh"

/// Where a unit comes from. Nowhere: zeros.
struct UnitSource {
  const char* from;
  bool exists;
};

/// In accesses of kCopyBytes: 4 and more are asynchronous, and to be committed and waited for.
template <int kUnitBytes, int kCopyBytes>
__device__ inline void copy_unit(unsigned shared, const UnitSource& source) {
  if constexpr (kCopyBytes >= 4) {
#pragma unroll
    for (int at = 0; at < kUnitBytes; at += kCopyBytes) {
      copy_async<kCopyBytes>(shared + at, source.from + at, source.exists);
    }
  } else {
#pragma unroll
    for (int at = 0; at < kUnitBytes; at += 4) {
      unsigned word = 0;
      if (source.exists) {
        for (int i = 0; i < 4; i += kCopyBytes) {
          const char* from = source.from + at + i;
          const unsigned bits = kCopyBytes == 2 ? *reinterpret_cast<const unsigned short*>(from)
                                                : *reinterpret_cast<const unsigned char*>(from);
          word |= bits << 8 * i;
        }
      }
      store_shared(shared + at, word);
    }
  }
}

/// kRows rows of kUnits units each, by all kThreads threads of a block. `to(row, unit)` is an address in
/// shared memory, `from(row, unit)` a UnitSource.
template <int kThreads, int kRows, int kUnits, int kUnitBytes, int kCopyBytes, class To, class From>
__device__ inline void copy_units(To to, From from) {
  constexpr unsigned kAll = kRows * kUnits;
  constexpr unsigned kRounds = (kAll + kThreads - 1) / kThreads;
#pragma unroll 1
  for (unsigned round = 0; round < kRounds; ++round) {
    const unsigned i = round * kThreads + threadIdx.x;
    if (kAll % kThreads != 0 && i >= kAll) break;
    copy_unit<kUnitBytes, kCopyBytes>(to(i / kUnits, i % kUnits), from(i / kUnits, i % kUnits));
  }
}
