// rms_norm_backward for NVIDIA GPUs of sm_80 and up, for rows that a block, or a cluster, holds in registers.
// dy and x are read once; as many blocks as run at a time go through the rows, each with a partial dw in its
// registers, which a second entry sums over blocks. Longer rows: rms_norm_backward_long.cu.

#include <lathe/args.h>

#include "common/options.h"
#include "cuda/element.cuh"

// lathe:parameters
using X = Bf16;
using W = Bf16;
using Dw = Bf16;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr bool kWeightPerHead = false;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr bool kHasDresidual = false;
constexpr bool kLoadRstd = true;
constexpr bool kStoreDx = true;
constexpr bool kStoreDw = true;
constexpr bool kAccumulateDw = false;
constexpr int kPack = 8;             // elements per access
constexpr int kThreadsPerRow = 256;  // of one block
constexpr int kRowsPerBlock = 1;
constexpr int kClusterBlocks = 1;
constexpr int kBlocksPerProcessor = 2;
constexpr bool kPrefetch = true;    // the next row is read while this one is worked on
constexpr bool kHoldWeight = true;  // in registers, all the time
// lathe:end

#include "cuda/reduce.cuh"
#include "cuda/rms_norm_dw.cuh"

constexpr int kThreads = kThreadsPerRow * kRowsPerBlock;
constexpr int kPacksPerRow = kHiddenSize / kPack;
constexpr int kPacksPerSlice = (kPacksPerRow + kClusterBlocks - 1) / kClusterBlocks;
constexpr int kRounds = (kPacksPerSlice + kThreadsPerRow - 1) / kThreadsPerRow;

/// The packs of the row that this thread does.
struct Slice {
  int first_pack;
  int last_pack;

  __device__ static Slice own() {
    const int first = kClusterBlocks > 1 ? static_cast<int>(cluster_block_rank()) * kPacksPerSlice : 0;
    return {first, first + kPacksPerSlice < kPacksPerRow ? first + kPacksPerSlice : kPacksPerRow};
  }
  __device__ int pack(int round) const {
    return first_pack + round * kThreadsPerRow + static_cast<int>(threadIdx.x) % kThreadsPerRow;
  }
  __device__ bool has(int round) const { return pack(round) < last_pack; }
};

/// Lanes of a warp that share a row.
constexpr int kWarpShare = kThreadsPerRow < 32 ? kThreadsPerRow : 32;

/// A row and what is read of it.
struct Loaded {
  GradientRow row;
  XPack dy[kRounds];
  XPack x[kRounds];
  float rstd = 0.0f;  ///< in the first lane of those of a warp that share the row

  __device__ void load(const lathe::RmsNormBackwardArgs& args, const Slice& slice) {
    if (!row.exists) return;
    if constexpr (kLoadRstd) {
      if (threadIdx.x % kWarpShare == 0) rstd = args.rstd[row.unit];
    }
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      if (!slice.has(round)) continue;
      dy[round].load(row.dy + slice.pack(round) * kPack);
      x[round].load(row.x + slice.pack(round) * kPack);
    }
  }
};

/// The weight of the thread's packs: held, or read when it is needed.
struct Weights {
  const W::Storage* from;
  WPack held[kHoldWeight ? kRounds : 1];

  __device__ void load(const Slice& slice) {
    if constexpr (kUsesWeight && kHoldWeight) {
#pragma unroll
      for (int round = 0; round < kRounds; ++round) {
        if (slice.has(round)) held[round].load(from + slice.pack(round) * kPack);
      }
    }
  }
  __device__ WPack at(const Slice& slice, int round) const {
    if constexpr (kHoldWeight || !kUsesWeight) return held[kHoldWeight ? round : 0];
    WPack pack;
    pack.load(from + slice.pack(round) * kPack);
    return pack;
  }
};

/// Of the two sums, those that are needed.
constexpr int kFirstSum = kStoreDx ? 0 : 1;
constexpr int kLastSum = kLoadRstd ? 1 : 2;

/// Over the threads of a block, then over the blocks of a cluster. Arrays take turns: when one is written
/// again, all have read it.
__device__ inline void sum_over_blocks(float (&values)[2], int turn) {
  __shared__ float of_warp[2][2][kThreads / 32];
  __shared__ float of_block[2][2];
#pragma unroll
  for (int i = kFirstSum; i < kLastSum; ++i) {
    if (threadIdx.x % 32 == 0) of_warp[turn][i][threadIdx.x / 32] = values[i];
  }
  __syncthreads();
#pragma unroll
  for (int i = kFirstSum; i < kLastSum; ++i) {
    values[i] = 0.0f;
#pragma unroll
    for (int warp = 0; warp < kThreads / 32; ++warp) values[i] += of_warp[turn][i][warp];
  }
  if constexpr (kClusterBlocks > 1) {
#pragma unroll
    for (int i = kFirstSum; i < kLastSum; ++i) {
      if (threadIdx.x == 0) of_block[turn][i] = values[i];
    }
    cluster_sync();
#pragma unroll
    for (int i = kFirstSum; i < kLastSum; ++i) {
      values[i] = 0.0f;
#pragma unroll
      for (unsigned rank = 0; rank < kClusterBlocks; ++rank)
        values[i] += load_from_block(&of_block[turn][i], rank);
    }
  }
}

/// Over all threads that share the row.
__device__ inline RowSums summed_over_row(const RowSums& sums, int turn) {
  if constexpr (kFirstSum < kLastSum) {
    float values[2] = {sums.products, sums.squares};
#pragma unroll
    for (int i = kFirstSum; i < kLastSum; ++i) values[i] = reduced_over_lanes<Sum, kWarpShare>(values[i]);
    if constexpr (kRowsPerBlock == 1) sum_over_blocks(values, turn);
    return {values[0], values[1]};
  } else {
    return sums;
  }
}

/// One row: its sums, its dx, its part of dw.
__device__ inline void work_on(const Loaded& loaded, const Slice& slice, const Weights& weights,
                               float epsilon, int turn, float (&dw)[kRounds][kPack]) {
  const GradientRow& row = loaded.row;
  // Read here, so that it arrives while the sums are made.
  XPack dresidual[kHasDresidual ? kRounds : 1];
  const auto inputs = [&](int round) {
    return PackInputs{loaded.dy[round], loaded.x[round], dresidual[kHasDresidual ? round : 0],
                      weights.at(slice, round)};
  };
  const float loaded_rstd = __shfl_sync(0xFFFFFFFFu, loaded.rstd, 0, kWarpShare);
  RowSums sums;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    if (!row.exists || !slice.has(round)) continue;
    if constexpr (kHasDresidual) dresidual[round].load(row.dresidual + slice.pack(round) * kPack);
    sums.add(inputs(round), loaded_rstd);
  }
  const RowFactors factors = RowFactors::of(summed_over_row(sums, turn), loaded_rstd, epsilon);
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    if (!row.exists || !slice.has(round)) continue;
    finish_pack(row, slice.pack(round), factors, inputs(round), dw[round]);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
    lathe_rms_norm_backward(const __grid_constant__ lathe::RmsNormBackwardArgs args) {
  const Index number = blockIdx.x / kClusterBlocks;
  const Strip strip = strip_of(args, number);
  const Slice slice = Slice::own();
  const Index row_in_block = threadIdx.x / kThreadsPerRow;
  const Index step = strip.step * kRowsPerBlock;
  Weights weights;
  if constexpr (kUsesWeight) {
    weights.from = static_cast<const W::Storage*>(args.weight) + strip.group * kHiddenSize;
  }
  float dw[kRounds][kPack] = {};
  Index base = strip.first * kRowsPerBlock;
  Loaded loaded;
  loaded.row = gradient_row(args, strip, base + row_in_block);
  if (loaded.row.exists) weights.load(slice);
  if constexpr (kPrefetch) loaded.load(args, slice);
  for (int turn = 0; base < strip.count; turn ^= 1) {
    base += step;
    if constexpr (!kPrefetch) loaded.load(args, slice);
    Loaded next;
    next.row = gradient_row(args, strip, base + row_in_block);
    if constexpr (kPrefetch) next.load(args, slice);
    work_on(loaded, slice, weights, args.epsilon, turn, dw);
    loaded = next;
  }
  if constexpr (kStoreDw) {
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      write_partial<kThreadsPerRow, kRowsPerBlock>(args, number, slice.first_pack + round * kThreadsPerRow,
                                                   slice.last_pack, dw[round]);
    }
  }
  // No block may exit, and free its shared memory, while another still reads it.
  if constexpr (kClusterBlocks > 1) cluster_sync();
}

extern "C" __global__ void __launch_bounds__(kSumColumns* kSumParts)
    lathe_rms_norm_backward_dw(const __grid_constant__ lathe::RmsNormBackwardArgs args) {
  if constexpr (kStoreDw) sum_partials(args);
}
