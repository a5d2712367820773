// How a row of rms_norm is written: scaled as the spec says. Included after cuda/rms_norm_row.cuh and the
// parameter block.
#pragma once

#include "cuda/rms_norm_row.cuh"

/// A scale that makes the largest magnitude the largest value of the fp8 type T.
template <class T>
__device__ inline float scale_for(float largest, float floor) {
  if constexpr (kScale != OutputScale::none) return fmaxf(largest, floor) / T::kLargest;
  return 1.0f;
}

__device__ inline float* scales_of(const lathe::RmsNormArgs& args, const Row& row) {
  return args.y_scale_out + row.unit / kHeads * args.y_scale_row_stride +
         row.unit % kHeads * args.y_scale_head_stride;
}

/// With a scale that is known before.
__device__ inline void write_row(const Row& row, float rstd, float inverse, float (&values)[kHeld][kPack]) {
  for_each_pack(row, values, [&](int pack, float(&loaded)[kPack]) {
    store_residual(row, pack, loaded);
    normalize(row, pack, rstd, loaded);
    store_scaled(row, pack, inverse, loaded);
  });
}

/// With one scale for the row. What is not held is made twice, and the residual stored last: it may lie where
/// it is read from.
__device__ inline void write_row_scaled(const lathe::RmsNormArgs& args, const Row& row, float rstd,
                                        float (&values)[kHeld][kPack]) {
  float largest = 0.0f;
  for_each_pack(row, values, [&](int pack, float(&loaded)[kPack]) {
    if constexpr (kInRegisters) store_residual(row, pack, loaded);
    normalize(row, pack, rstd, loaded);
    largest = fmaxf(largest, magnitude_of(loaded));
  });
  const float scale = scale_for<Y>(reduced_over_row<Max>(largest), args.amax_floor);
  if (row.is_leader()) *scales_of(args, row) = scale;
  for_each_pack(row, values, [&](int pack, float(&loaded)[kPack]) {
    if constexpr (!kInRegisters) {
      store_residual(row, pack, loaded);
      normalize(row, pack, rstd, loaded);
    }
    store_scaled(row, pack, 1.0f / scale, loaded);
  });
}

/// Threads that share a block of 128 elements, and rounds of them that it takes.
constexpr int kLanesPerScale = kThreadsPerRow * kPack < kScaleBlock ? kThreadsPerRow : kScaleBlock / kPack;
constexpr int kRoundsPerScale =
    kThreadsPerRow * kPack >= kScaleBlock || kRounds == 1 ? 1 : kScaleBlock / (kThreadsPerRow * kPack);
static_assert(kScale != OutputScale::per_block || kRowsPerBlock > 1 || kThreadsPerRow * kPack >= kScaleBlock,
              "a round of a block's threads is a whole number of scales");

/// Over the threads that share a block of 128 elements. All threads of the block must call it.
__device__ inline float largest_of_scale_block(float value) {
  if constexpr (kLanesPerScale <= 32) {
    return reduced_over_lanes<Max, kLanesPerScale>(value);
  } else {
    __shared__ float of_warp[kThreads / 32];
    constexpr int kWarps = kLanesPerScale > 32 ? kLanesPerScale / 32 : 1;
    value = reduced_over_lanes<Max, 32>(value);
    const int warp = threadIdx.x / 32;
    if (threadIdx.x % 32 == 0) of_warp[warp] = value;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kWarps; ++i) value = fmaxf(value, of_warp[warp / kWarps * kWarps + i]);
    __syncthreads();
    return value;
  }
}

/// A few rounds of packs from `first` on, which hold whole blocks of 128 elements.
template <int kCount>
__device__ inline void write_scale_blocks(const lathe::RmsNormArgs& args, const Row& row, int first,
                                          float rstd, float (*values)[kPack]) {
  float largest = 0.0f;
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const int pack = first + i * kThreadsPerRow + row.thread;
    if (row.exists && pack < row.last_pack) {
      store_residual(row, pack, values[i]);
      normalize(row, pack, rstd, values[i]);
      largest = fmaxf(largest, magnitude_of(values[i]));
    }
  }
  const float scale = scale_for<Y>(largest_of_scale_block(largest), args.amax_floor);
  const int own = first + row.thread;
  if (row.exists && own < row.last_pack && row.thread % kLanesPerScale == 0) {
    scales_of(args, row)[own * kPack / kScaleBlock * args.y_scale_block_stride] = scale;
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const int pack = first + i * kThreadsPerRow + row.thread;
    if (row.exists && pack < row.last_pack) store_scaled(row, pack, 1.0f / scale, values[i]);
  }
}

/// With one scale per 128 elements.
__device__ inline void write_row_in_blocks(const lathe::RmsNormArgs& args, const Row& row, float rstd,
                                           float (&values)[kHeld][kPack]) {
  if constexpr (kInRegisters) {
#pragma unroll
    for (int round = 0; round < kRounds; round += kRoundsPerScale) {
      constexpr int kWhole = kRounds / kRoundsPerScale * kRoundsPerScale;
      constexpr int kRest = kRounds % kRoundsPerScale;
      const int first = row.first_pack + round * kThreadsPerRow;
      if (round < kWhole) {
        write_scale_blocks<kRoundsPerScale>(args, row, first, rstd, values + round);
      } else if constexpr (kRest != 0) {
        write_scale_blocks<kRest>(args, row, first, rstd, values + round);
      }
    }
  } else {
    for (int first = 0; first < row.last_pack; first += kThreadsPerRow) {
      const int pack = first + row.thread;
      if (pack < row.last_pack) load_values(row, pack, values[0]);
      write_scale_blocks<1>(args, row, first, rstd, values);
    }
  }
}
