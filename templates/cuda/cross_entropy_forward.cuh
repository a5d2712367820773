// Logits that are never stored: a block goes through the tiles of a part of the classes and keeps each
// row's maximum and sum.
#pragma once

#include "cuda/cross_entropy_logits.cuh"

/// In shared memory, of the rows of a block.
struct ForwardRows {
  RowParts parts;           ///< of the tiles so far
  float lost[Tile::kRows];  ///< of the parts' sums, in rounding
  TargetColumns targets;
};

/// What is in the tile joins what is known of its rows.
__device__ inline void join_tile(const Arguments& args, char* shared, int first_row,
                                 const LogitColumns& columns, Products& products, ForwardRows& rows) {
  for_each_run<Tile>(shared, chunk_rows(args) - first_row, products, [&](int row, int, float(&values)[kRun]) {
    columns.make_logits(args, values);
    rows.targets.store_logit(args, first_row, row, columns, values);
    const Part part = part_of_row(args, columns, values);
    if (threadIdx.x % 32 != 0) return;
    Part before = rows.parts.load(row);
    before.lost = rows.lost[row];
    const Part both = merged(before, part, fast_exp2);
    rows.lost[row] = both.lost;
    rows.parts.store(row, both);
  });
}

__device__ inline void reduce_logits(const Arguments& args, char* shared) {
  __shared__ ForwardRows rows;
  const int row_tiles = (chunk_tokens(args) + Tile::kRows - 1) / Tile::kRows;
  const TilePlace place = tile_place(blockIdx.x, row_tiles, static_cast<int>(args.parts));
  const int first_row = place.row * Tile::kRows;
  if (first_row >= chunk_rows(args)) return;
  rows.targets.load(args, first_row);
  if (threadIdx.x < Tile::kRows) {
    rows.parts.store(threadIdx.x, Part{});
    rows.lost[threadIdx.x] = 0.0f;
  }
  const Index tiles = (kVocabSize + Tile::kColumns - 1) / Tile::kColumns;
  const int end = static_cast<int>((place.column + 1) * tiles / args.parts);
#pragma unroll 1
  for (int tile = static_cast<int>(place.column * tiles / args.parts); tile < end; ++tile) {
    Products products;
    multiply_logits(args, shared, first_row, tile * Tile::kColumns, products);
    join_tile(args, shared, first_row, LogitColumns(args, tile * Tile::kColumns), products, rows);
  }
  __syncthreads();
  if (threadIdx.x < Tile::kRows) rows.parts.fields[kPartSum][threadIdx.x] += rows.lost[threadIdx.x];
  rows.parts.store_all(args, place.column, first_row);
}
