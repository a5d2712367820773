// The factors of a row's gradient, from finish to where gradients of logits are made.
#pragma once

#include "cuda/cross_entropy_block.cuh"

__device__ inline void store_factors(const Arguments& args, Index row, const GradientFactors& factors) {
  row_value(args, kRowOfProbability, row) = factors.of_probability;
  row_value(args, kRowOfTarget, row) = factors.of_target;
  row_value(args, kRowOfWeights, row) = factors.of_weights;
}

/// Of a row, what its gradients are made from.
struct RowGradient {
  float lse;  ///< 0 for minus infinity
  GradientFactors factors;
  int target;  ///< column of the chunk, or one that there is not

  /// By the product, of whose logit the probability and the slope are given.
  __device__ float at(int column, float probability, float weight, float slope) const {
    float gradient = factors.of_probability * probability;
    if (column == target) gradient -= factors.of_target;
    if constexpr (kHasLabelSmoothing) gradient -= factors.of_weights * weight;
    return gradient * slope;
  }
};

__device__ inline RowGradient gradient_of_row(const Arguments& args, Index row) {
  return {finite_max(row_value(args, kRowLse, row)),
          {row_value(args, kRowOfProbability, row), row_value(args, kRowOfTarget, row),
           row_value(args, kRowOfWeights, row)},
          target_column(args, row)};
}

/// Of a row, what its entropy adds.
struct RowEntropy {
  float upstream;  ///< in the slab's units
  float entropy;

  /// By the product, of whose logit the probability, its logarithm and the slope are given.
  __device__ float at(float probability, float log_probability, float slope) const {
    // A class that is masked has no logarithm.
    if (probability == 0.0f) return 0.0f;
    return -upstream * probability * (log_probability + entropy) * slope;
  }
};

__device__ inline RowEntropy entropy_of_row(const Arguments& args, Index row) {
  return {row_value(args, kRowOfEntropy, row), row_value(args, kRowEntropy, row)};
}
