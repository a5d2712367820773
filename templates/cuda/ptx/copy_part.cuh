// Asynchronous copies from global to shared memory of which only the beginning is read, and the rest are
// zeros: sm_80 and up.
#pragma once

/// 4, 8 or 16 bytes, of which the first `bytes` are read; nothing for 0.
template <int kBytes>
__device__ inline void copy_part_async(unsigned shared, const void* global, int bytes) {
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
                 "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared), "l"(global), "n"(kBytes),
                 "r"(bytes)
                 : "memory");
  }
}
