// Sums over the threads that share a row. The order of additions is fixed, so results repeat bit by bit.
#pragma once

#include "cuda/ptx/cluster.cuh"

/// Over groups of kThreads neighbouring lanes of a warp; every lane gets its group's sum. All 32 lanes must
/// call it.
template <int kThreads>
__device__ inline float sum_over_lanes(float value) {
#pragma unroll
  for (int distance = kThreads / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFFu, value, distance);
  }
  return value;
}

/// Over all kThreads threads of a block, a multiple of 32; every thread gets the sum. Called once per kernel:
/// `partial` is not protected against a second round.
template <int kThreads>
__device__ inline float sum_over_block(float value, float (&partial)[kThreads / 32]) {
  value = sum_over_lanes<32>(value);
  if constexpr (kThreads == 32) return value;
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float total = 0.0f;
#pragma unroll
  for (int i = 0; i < kThreads / 32; ++i) total += partial[i];
  return total;
}

/// Over the blocks of a cluster, of values that are the same in all threads of a block. All threads must call
/// it.
template <int kBlocks>
__device__ inline float sum_over_cluster(float value, float* slot) {
  if (threadIdx.x == 0) *slot = value;
  cluster_sync();
  float total = 0.0f;
#pragma unroll
  for (unsigned rank = 0; rank < kBlocks; ++rank) total += load_from_block(slot, rank);
  // A block must not exit, and free its shared memory, while another still reads it.
  cluster_sync();
  return total;
}
