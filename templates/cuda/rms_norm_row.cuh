// What one block, or one cluster, does with its rows of rms_norm. Included after the parameter block of a
// template, whose names it uses.
#pragma once

#include "common/options.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"
#include "cuda/rms_norm_statistics.cuh"

using lathe::Index;

constexpr int kThreads = kThreadsPerRow * kRowsPerBlock;
/// Elements that share a scale in OutputScale::per_block.
constexpr int kScaleBlock = 128;
constexpr int kPacksPerRow = (kHiddenSize + kPack - 1) / kPack;
/// Packs of a row that one block does. Slices end where the blocks of scales do.
constexpr int kSliceStep = kScale == OutputScale::per_block && kClusterBlocks > 1 ? kScaleBlock / kPack : 1;
constexpr int kPacksPerSlice =
    ((kPacksPerRow + kClusterBlocks - 1) / kClusterBlocks + kSliceStep - 1) / kSliceStep * kSliceStep;
/// Rounds of packs that this takes its threads, and how many of them are held in registers.
constexpr int kRounds = (kPacksPerSlice + kThreadsPerRow - 1) / kThreadsPerRow;
constexpr int kHeld = kInRegisters ? kRounds : 1;
constexpr bool kHasResidual = kResidual != Residual::none;
/// In Casting::none every step is rounded to the element type.
constexpr bool kRoundSteps = kCasting == Casting::none;
/// The host chooses packs that divide the row, so there is no tail within a pack.
static_assert(kHiddenSize % kPack == 0, "a pack must not reach beyond the row");

/// A row, and which of it a thread does.
struct Row {
  const X::Storage* x;
  const X::Storage* residual_in;
  X::Storage* residual_out;
  Y::Storage* y;
  const W::Storage* weight;
  Index unit;  ///< token * heads + head
  int thread;
  int first_pack;  ///< of the block's slice
  int last_pack;
  bool exists;  ///< the last block may have rows too many; their threads still take part in reductions

  /// The one thread that writes what there is once per row.
  __device__ bool is_leader() const { return exists && thread == 0 && first_pack == 0; }
};

__device__ inline float rounded_if(bool rounds, float value) {
  return rounds ? rounded<X>(value) : value;
}

/// The row that this thread works on in the block (or cluster) of that number.
__device__ inline Row row_of_block(const lathe::RmsNormArgs& args, Index block) {
  Row row{};
  row.unit = block * kRowsPerBlock + threadIdx.x / kThreadsPerRow;
  row.thread = threadIdx.x % kThreadsPerRow;
  row.exists = kRowsPerBlock == 1 || row.unit < args.rows * kHeads;
  row.first_pack = kClusterBlocks > 1 ? static_cast<int>(cluster_block_rank()) * kPacksPerSlice : 0;
  row.last_pack =
      row.first_pack + kPacksPerSlice < kPacksPerRow ? row.first_pack + kPacksPerSlice : kPacksPerRow;
  const Index unit = row.exists ? row.unit : 0;
  const Index token = unit / kHeads;
  const Index head = unit % kHeads;
  row.x = static_cast<const X::Storage*>(args.x) + token * args.x_row_stride + head * args.x_head_stride;
  row.y = static_cast<Y::Storage*>(args.y) + token * args.y_row_stride + head * args.y_head_stride;
  if constexpr (kHasWeight) {
    row.weight = static_cast<const W::Storage*>(args.weight) + (kWeightPerHead ? head * kHiddenSize : 0);
  }
  if constexpr (kHasResidual) {
    row.residual_in = static_cast<const X::Storage*>(args.residual_in) + token * args.residual_in_row_stride +
                      head * args.residual_in_head_stride;
    row.residual_out = static_cast<X::Storage*>(args.residual_out) + token * args.residual_out_row_stride +
                       head * args.residual_out_head_stride;
  }
  return row;
}

/// What is normalised: x, or the residual sum.
__device__ inline void load_values(const Row& row, int pack, float (&values)[kPack]) {
  load_pack<X>(row.x + pack * kPack, values);
  if constexpr (kHasResidual) {
    float residual[kPack];
    load_pack<X>(row.residual_in + pack * kPack, residual);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      values[i] = rounded_if(kResidual == Residual::round_then_norm || kRoundSteps, values[i] + residual[i]);
    }
  }
}

/// Calls body(pack, values) for each of the thread's packs. Values that are not held are loaded again.
template <class Body>
__device__ inline void for_each_pack(const Row& row, float (&values)[kHeld][kPack], Body body) {
  if constexpr (kInRegisters) {
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int pack = row.first_pack + round * kThreadsPerRow + row.thread;
      if (row.exists && pack < row.last_pack) body(pack, values[round]);
    }
  } else {
#pragma unroll 2
    for (int pack = row.thread; pack < row.last_pack; pack += kThreadsPerRow) {
      load_values(row, pack, values[0]);
      body(pack, values[0]);
    }
  }
}

/// Over all threads that share the row. Between two calls with the same Op there must be a barrier of the
/// block, and where there are clusters one of the cluster: see row_barrier.
template <class Op>
__device__ inline float reduced_over_row(float value) {
  if constexpr (kRowsPerBlock > 1) {
    return reduced_over_lanes<Op, kThreadsPerRow>(value);
  } else {
    __shared__ float partial[kThreads / 32];
    __shared__ float slot;
    value = reduced_over_block<Op, kThreads>(value, partial);
    if constexpr (kClusterBlocks > 1) value = reduced_over_cluster<Op, kClusterBlocks>(value, &slot);
    return value;
  }
}

/// After it, reductions may begin anew, and a block may exit.
__device__ inline void row_barrier() {
  if constexpr (kClusterBlocks > 1) {
    cluster_sync();
  } else if constexpr (kRowsPerBlock == 1) {
    __syncthreads();
  }
}

/// Reads the row, into registers if it is held there, and gives 1 / sqrt(mean + epsilon).
__device__ inline float load_row(const Row& row, float epsilon, float (&values)[kHeld][kPack]) {
  if constexpr (kInRegisters) {
    // All loads first, so that they are under way together.
    for_each_pack(row, values, [&](int pack, float(&held)[kPack]) { load_values(row, pack, held); });
  }
  float sum = 0.0f;
  for_each_pack(row, values, [&](int, const float(&loaded)[kPack]) {
#pragma unroll
    for (int i = 0; i < kPack; ++i) sum += rounded_if(kRoundSteps, loaded[i] * loaded[i]);
  });
  return reciprocal_root<X, kRoundSteps>(reduced_over_row<Sum>(sum), kHiddenSize, epsilon);
}

__device__ inline void store_residual(const Row& row, int pack, const float (&values)[kPack]) {
  if constexpr (kHasResidual) store_pack<X>(row.residual_out + pack * kPack, values);
}

/// Makes y of values, before it is scaled: times rstd, times weight, with the roundings that the casting mode
/// puts between them.
__device__ inline void normalize(const Row& row, int pack, float rstd, float (&values)[kPack]) {
  float w[kPack];
  if constexpr (kHasWeight) load_pack<W>(row.weight + pack * kPack, w);
#pragma unroll
  for (int i = 0; i < kPack; ++i) {
    values[i] = rounded_if(kCasting != Casting::gemma, values[i] * rstd);
    if constexpr (kHasWeight) values[i] *= rounded_if(kRoundSteps, w[i] + kWeightOffset);
    values[i] = rounded_if(kRoundToDtype, values[i]);
  }
}

__device__ inline float magnitude_of(const float (&values)[kPack]) {
  float largest = 0.0f;
#pragma unroll
  for (int i = 0; i < kPack; ++i) largest = fmaxf(largest, fabsf(values[i]));
  return largest;
}

__device__ inline void store_scaled(const Row& row, int pack, float inverse, const float (&values)[kPack]) {
  float scaled[kPack];
#pragma unroll
  for (int i = 0; i < kPack; ++i) scaled[i] = kScale == OutputScale::none ? values[i] : values[i] * inverse;
  store_pack<Y>(row.y + pack * kPack, scaled);
}
