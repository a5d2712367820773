// What is one number for all tokens.
#pragma once

#include "cuda/compensated_sum.cuh"
#include "cuda/cross_entropy_block.cuh"
#include "cuda/reduce.cuh"

constexpr int kReduceThreads = 1024;

/// Over all rows; every thread gets the result.
__device__ inline float sum_of_rows(const Arguments& args, RowPlane plane,
                                    float (&partial)[kReduceThreads / 32]) {
  const int rows = totals_of(args).rows;
  CompensatedSum sum;
#pragma unroll 1
  for (Index row = threadIdx.x; row < rows; row += kReduceThreads) sum.add(row_value(args, plane, row));
  return reduced_over_block<Sum, kReduceThreads>(sum.total(), partial);
}

/// A single block of kReduceThreads.
__device__ inline void reduce_rows(const Arguments& args) {
  __shared__ float losses[kReduceThreads / 32], z_losses[kReduceThreads / 32], right[kReduceThreads / 32];
  const Totals& totals = totals_of(args);
  float z_loss = 0.0f;
  if constexpr (kHasZLoss && kReduction != Reduction::none) {
    z_loss = sum_of_rows(args, kRowZLoss, z_losses) / totals.z_divisor;
    if (totals.bad_tokens > 0) z_loss = __uint_as_float(0x7FC00000u);
    if constexpr (kStoreZLoss) {
      if (threadIdx.x == 0) *args.z_loss = z_loss;
    }
  }
  if constexpr (kReduction != Reduction::none) {
    float loss = 0.0f;
    if (totals.rows > 0) loss = sum_of_rows(args, kRowLoss, losses) / totals.loss_divisor + z_loss;
    if (totals.bad_tokens > 0) loss = __uint_as_float(0x7FC00000u);
    if (threadIdx.x == 0) *args.loss = loss;
  }
  if constexpr (kStoreAccuracy) {
    const float share = sum_of_rows(args, kRowIsRight, right) / static_cast<float>(totals.rows);
    if (threadIdx.x == 0) *args.accuracy = share;  // NaN of no rows
  }
}
