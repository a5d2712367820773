// rms_norm, forward, for NVIDIA GPUs of sm_80 and up. One template, four shapes of work:
//  - short rows: several per warp or block, a group of lanes each;
//  - rows of up to 32768 elements: one block each, the row in registers between its two uses;
//  - longer rows where there are clusters: one cluster each, a slice of the row in the registers of every
//  block;
//  - longer rows elsewhere: one block each, which reads the row a second time, mostly from L2.

#include <lathe/args.h>

#include "common/options.h"
#include "cuda/pack.cuh"
#include "cuda/reduce.cuh"

// lathe:parameters
using X = Bf16;
using W = Bf16;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr Residual kResidual = Residual::none;
constexpr bool kStoreRstd = false;
constexpr int kPack = 8;             // elements per access
constexpr int kThreadsPerRow = 256;  // of one block
constexpr int kRowsPerBlock = 1;
constexpr int kClusterBlocks = 1;
constexpr bool kInRegisters = true;
// lathe:end

using lathe::Index;

constexpr int kThreads = kThreadsPerRow * kRowsPerBlock;
/// Elements of a row that one block does, and how many rounds of packs that takes its threads.
constexpr int kPacksPerRow = (kHiddenSize + kPack - 1) / kPack;
constexpr int kPacksPerSlice = (kPacksPerRow + kClusterBlocks - 1) / kClusterBlocks;
constexpr int kRounds = (kPacksPerSlice + kThreadsPerRow - 1) / kThreadsPerRow;
constexpr bool kHasResidual = kResidual != Residual::none;
/// In Casting::none every step is rounded to the element type.
constexpr bool kRoundSteps = kCasting == Casting::none;
/// The host chooses packs that divide the row, so there is no tail within a pack.
static_assert(kHiddenSize % kPack == 0, "a pack must not reach beyond the row");

struct Row {
  const X::Storage* x;
  const X::Storage* residual_in;
  X::Storage* residual_out;
  X::Storage* y;
};

__device__ inline float rounded_if(bool rounds, float value) {
  return rounds ? rounded<X>(value) : value;
}

__device__ inline Row row_at(const lathe::RmsNormArgs& args, Index unit) {
  const Index token = unit / kHeads;
  const Index head = unit % kHeads;
  Row row{};
  row.x = static_cast<const X::Storage*>(args.x) + token * args.x_row_stride + head * args.x_head_stride;
  row.y = static_cast<X::Storage*>(args.y) + token * args.y_row_stride + head * args.y_head_stride;
  if constexpr (kHasResidual) {
    row.residual_in = static_cast<const X::Storage*>(args.residual_in) + token * args.residual_in_row_stride +
                      head * args.residual_in_head_stride;
    row.residual_out = static_cast<X::Storage*>(args.residual_out) + token * args.residual_out_row_stride +
                       head * args.residual_out_head_stride;
  }
  return row;
}

/// What is normalised: x, or the residual sum.
__device__ inline void load_values(const Row& row, int at, float (&values)[kPack]) {
  load_pack<X>(row.x + at, values);
  if constexpr (kHasResidual) {
    float residual[kPack];
    load_pack<X>(row.residual_in + at, residual);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      values[i] = rounded_if(kResidual == Residual::round_then_norm || kRoundSteps, values[i] + residual[i]);
    }
  }
}

__device__ inline float sum_of_squares(const float (&values)[kPack]) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kPack; ++i) sum += rounded_if(kRoundSteps, values[i] * values[i]);
  return sum;
}

__device__ inline float reciprocal_root(float sum, float epsilon) {
  const float mean = sum / kHiddenSize;
  if constexpr (kRoundSteps) {
    return rounded<X>(1.0f / sqrtf(rounded<X>(rounded<X>(mean) + epsilon)));
  }
  return 1.0f / sqrtf(mean + epsilon);
}

/// The last steps: times rstd, times weight, with the roundings that the casting mode puts between them.
__device__ inline void write_values(const Row& row, const W::Storage* weight, int at,
                                    const float (&values)[kPack], float rstd) {
  float w[kPack];
  if constexpr (kHasWeight) load_pack<W>(weight + at, w);
  float y[kPack];
#pragma unroll
  for (int i = 0; i < kPack; ++i) {
    y[i] = rounded_if(kCasting != Casting::gemma, values[i] * rstd);
    if constexpr (kHasWeight) y[i] *= rounded_if(kRoundSteps, w[i] + kWeightOffset);
  }
  if constexpr (kHasResidual) store_pack<X>(row.residual_out + at, values);
  store_pack<X>(row.y + at, y);
}

/// The sum over all threads that share the row.
__device__ inline float sum_over_row(float sum) {
  if constexpr (kRowsPerBlock > 1) {
    return sum_over_lanes<kThreadsPerRow>(sum);
  } else {
    __shared__ float partial[kThreads / 32];
    __shared__ float slot;
    sum = sum_over_block<kThreads>(sum, partial);
    if constexpr (kClusterBlocks > 1) sum = sum_over_cluster<kClusterBlocks>(sum, &slot);
    return sum;
  }
}

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_rms_norm(const __grid_constant__ lathe::RmsNormArgs args) {
  const int row_in_block = threadIdx.x / kThreadsPerRow;
  const int thread = threadIdx.x % kThreadsPerRow;
  const Index unit = static_cast<Index>(blockIdx.x / kClusterBlocks) * kRowsPerBlock + row_in_block;
  // The last block may have rows too many; their threads still take part in the shuffles.
  const bool has_row = kRowsPerBlock == 1 || unit < args.rows * kHeads;
  const Row row = row_at(args, has_row ? unit : 0);
  const auto* weight = static_cast<const W::Storage*>(args.weight);
  const int first_pack = kClusterBlocks > 1 ? static_cast<int>(cluster_block_rank()) * kPacksPerSlice : 0;
  const int last_pack =
      first_pack + kPacksPerSlice < kPacksPerRow ? first_pack + kPacksPerSlice : kPacksPerRow;

  float values[kInRegisters ? kRounds : 1][kPack];
  float sum = 0.0f;
  if constexpr (kInRegisters) {
    // All loads first, so that they are under way together.
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int pack = first_pack + round * kThreadsPerRow + thread;
      if (has_row && pack < last_pack) load_values(row, pack * kPack, values[round]);
    }
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int pack = first_pack + round * kThreadsPerRow + thread;
      if (has_row && pack < last_pack) sum += sum_of_squares(values[round]);
    }
  } else {
#pragma unroll 4
    for (int pack = thread; pack < last_pack; pack += kThreadsPerRow) {
      load_values(row, pack * kPack, values[0]);
      sum += sum_of_squares(values[0]);
    }
  }

  const float rstd = reciprocal_root(sum_over_row(sum), args.epsilon);
  if (!has_row) return;
  if constexpr (kStoreRstd) {
    if (thread == 0 && first_pack == 0) args.rstd[unit] = rstd;
  }

  if constexpr (kInRegisters) {
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int pack = first_pack + round * kThreadsPerRow + thread;
      if (pack < last_pack) write_values(row, weight, pack * kPack, values[round], rstd);
    }
  } else {
#pragma unroll 2
    for (int pack = thread; pack < last_pack; pack += kThreadsPerRow) {
      load_values(row, pack * kPack, values[0]);
      write_values(row, weight, pack * kPack, values[0], rstd);
    }
  }
}
