// Logits of a tile, stored as exponentials against the row's maximum in the tile: whatever that is, they are
// off by the element type's relative error and no more, but for those that are denormal in it.
#pragma once

#include "cuda/cross_entropy_slab.cuh"

__device__ inline void store_exponentials(const Arguments& args, char* shared) {
  __shared__ RowParts parts;
  __shared__ TargetColumns targets;
  const SlabTile tile(args);
  const int rows = chunk_rows(args) - tile.row;
  if (rows <= 0) return;
  targets.load(args, tile.row);
  Products products;
  multiply_logits(args, shared, tile.row, tile.column, products);
  const LogitColumns columns(args, tile.column);
  for_each_run<Tile>(shared, rows, products, [&](int row, int, float(&values)[kRun]) {
    columns.make_logits(args, values);
    targets.store_logit(args, tile.row, row, columns, values);
    float logits[kKeepsSmall ? kRun : 1];
    if constexpr (kKeepsSmall) {
#pragma unroll
      for (int j = 0; j < kRun; ++j) logits[j] = values[j];
    }
    const Part part = part_of_row(args, columns, values);
    if constexpr (kKeepsSmall) {
#pragma unroll
      for (int j = 0; j < kRun; ++j) {
        if (columns.exists(j) && values[j] < kLeastExponential)
          values[j] = kIsF16<X> ? logits[j] - part.max : -slope_of(args, logits[j]);
      }
    }
    if (threadIdx.x % 32 == 0) parts.store(row, part);
    store_pack<X>(slab_row(args, tile.row + row) + columns.first, values);  // the padding becomes zeros
  });
  parts.store_all(args, tile.number, tile.row);
}
