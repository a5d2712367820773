// Copies from global to shared memory that do not go through registers, in groups that are waited for: sm_80
// and up.
#pragma once

/// 4, 8 or 16 bytes; zeros if not `exists`, and then nothing is read.
template <int kBytes>
__device__ inline void copy_async(unsigned shared, const void* global, bool exists) {
  const int bytes = exists ? kBytes : 0;
  if constexpr (kBytes == 16) {
    // Past the first-level cache: what comes is used once.
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared), "l"(global), "n"(kBytes),
                 "r"(bytes)
                 : "memory");
  }
}

/// Ends a group, which may be empty.
__device__ inline void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Until at most kPending of this thread's latest groups are under way.
template <int kPending>
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}
