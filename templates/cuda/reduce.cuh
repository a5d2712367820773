// Sums and maxima over the threads that share a row. The order of operations is fixed, so results repeat bit
// by bit.
#pragma once

#include "cuda/ptx/cluster.cuh"

struct Sum {
  static constexpr float kNeutral = 0.0f;
  __device__ static float of(float a, float b) { return a + b; }
};

/// Of magnitudes: not negative. NaN does not take part.
struct Max {
  static constexpr float kNeutral = 0.0f;
  __device__ static float of(float a, float b) { return fmaxf(a, b); }
};

/// Over groups of kThreads neighbouring lanes of a warp; every lane gets its group's result. All 32 lanes
/// must call it.
template <class Op, int kThreads>
__device__ inline float reduced_over_lanes(float value) {
#pragma unroll
  for (int distance = kThreads / 2; distance > 0; distance /= 2) {
    value = Op::of(value, __shfl_xor_sync(0xFFFFFFFFu, value, distance));
  }
  return value;
}

template <int kThreads>
__device__ inline float sum_over_lanes(float value) {
  return reduced_over_lanes<Sum, kThreads>(value);
}

/// Over all kThreads threads of a block, a multiple of 32; every thread gets the result. `partial` is not
/// protected against a second round: the caller puts a barrier between two, or takes turns with two arrays.
template <class Op, int kThreads>
__device__ inline float reduced_over_block(float value, float (&partial)[kThreads / 32]) {
  value = reduced_over_lanes<Op, 32>(value);
  if constexpr (kThreads == 32) return value;
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float total = Op::kNeutral;
#pragma unroll
  for (int i = 0; i < kThreads / 32; ++i) total = Op::of(total, partial[i]);
  return total;
}

/// Over the blocks of a cluster, of values that are the same in all threads of a block. All threads must call
/// it. No block may write `slot` again, or exit, before all have met at another cluster_sync().
template <class Op, int kBlocks>
__device__ inline float reduced_over_cluster(float value, float* slot) {
  if (threadIdx.x == 0) *slot = value;
  cluster_sync();
  float total = Op::kNeutral;
#pragma unroll
  for (unsigned rank = 0; rank < kBlocks; ++rank) total = Op::of(total, load_from_block(slot, rank));
  return total;
}
