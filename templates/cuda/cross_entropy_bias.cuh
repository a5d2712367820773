// d_bias: sums of the slab's columns.
#pragma once

#include "cuda/cross_entropy_slab.cuh"

constexpr int kBiasThreads = 256;
/// Two per lane; warps share out the rows.
constexpr int kBiasColumns = 64;
constexpr int kBiasWarps = kBiasThreads / 32;

__device__ inline void add_d_bias(const Arguments& args, Index column, float sum) {
  const bool has_sums = args.d_weight_sums != nullptr;
  const bool is_first = is_first_chunk_of_rows(args);
  float* partial = args.d_weight_sums + Index{kVocabSize} * kHiddenSize + column;
  float value = sum * slab_scale(args);
  if (has_sums && !is_first) value += *partial;
  if (has_sums && !is_last_chunk_of_rows(args)) {
    *partial = value;
    return;
  }
  auto* to = static_cast<DWeight::Storage*>(args.d_bias) + column;
  if (kAccumulateDWeight || (!has_sums && !is_first)) value += DWeight::widen(*to);
  *to = DWeight::narrow(value);
}

__device__ inline void sum_columns(const Arguments& args) {
  __shared__ float sums[kBiasWarps][kBiasColumns];
  const int first = static_cast<int>(blockIdx.x) * kBiasColumns;
  const int own = threadIdx.x % 32 * 2;
  const int rows = chunk_rows(args);
  if (adds_nothing(args, rows)) return;
  float pair[2] = {0.0f, 0.0f};
#pragma unroll 4
  for (int row = threadIdx.x / 32; row < rows; row += kBiasWarps) {
    float values[2];
    load_pack<X>(slab_row(args, row) + first + own, values);
    pair[0] += values[0];
    pair[1] += values[1];
  }
  sums[threadIdx.x / 32][own] = pair[0];
  sums[threadIdx.x / 32][own + 1] = pair[1];
  __syncthreads();
  const int column = threadIdx.x;
  if (column >= kBiasColumns || first + column >= chunk_classes(args)) return;
  float sum = 0.0f;
#pragma unroll
  for (int warp = 0; warp < kBiasWarps; ++warp) sum += sums[warp][column];
  add_d_bias(args, args.first_class + first + column, sum);
}
