// Gradients of a tile's logits, from logits that are made anew and the lse that the forward stored.
#pragma once

#include "cuda/cross_entropy_factors.cuh"
#include "cuda/cross_entropy_slab.cuh"

__device__ inline void store_recomputed(const Arguments& args, char* shared) {
  __shared__ RowGradient gradients[Tile::kRows];
  __shared__ RowEntropy entropies[Tile::kRows];
  const SlabTile tile(args);
  const int rows = chunk_rows(args) - tile.row;
  if (rows <= 0) return;
  // Asked for before the product, so that nothing waits for them after it.
  if (threadIdx.x < Tile::kRows && static_cast<int>(threadIdx.x) < rows) {
    const Index row = args.first_row + tile.row + threadIdx.x;
    gradients[threadIdx.x] = gradient_of_row(args, row);
    if constexpr (kHasEntropyGradient) entropies[threadIdx.x] = entropy_of_row(args, row);
  }
  Products products;
  multiply_logits(args, shared, tile.row, tile.column, products);
  const LogitColumns columns(args, tile.column);
  for_each_run<Tile>(shared, rows, products, [&](int row, int, float(&values)[kRun]) {
    const RowGradient gradient = gradients[row];
    columns.make_logits(args, values);
#pragma unroll
    for (int j = 0; j < kRun; ++j) {
      const float logit = values[j];
      const float probability = exp_of(logit - gradient.lse);
      const float slope = slope_of(args, logit);
      float value = gradient.at(columns.first + j, probability, columns.weight_of(j), slope);
      if constexpr (kHasEntropyGradient) value += entropies[row].at(probability, logit - gradient.lse, slope);
      values[j] = columns.exists(j) ? value : 0.0f;
    }
    store_pack<X>(slab_row(args, tile.row + row) + columns.first, values);
  });
}
