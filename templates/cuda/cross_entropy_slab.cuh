// The slab of a chunk: exponentials or gradients of its logits, in the element type, rows padded to whole
// tiles of classes.
#pragma once

#include "cuda/cross_entropy_logits.cuh"
#include "cuda/pack.cuh"

__device__ inline X::Storage* slab_row(const Arguments& args, Index row) {
  return static_cast<X::Storage*>(args.slab) + row * args.slab_stride;
}

/// What products with the slab are multiplied by; of no rows there is nothing to multiply.
__device__ inline float slab_scale(const Arguments& args) {
  return chunk_rows(args) > 0 ? gradient_scale(args, totals_of(args)) : 0.0f;
}

/// A block's tile of the slab; blocks that have no rows get none.
struct SlabTile {
  int row;     ///< its first
  int column;  ///< likewise
  int number;  ///< among tiles of columns

  __device__ explicit SlabTile(const Arguments& args) {
    const int row_tiles = (chunk_tokens(args) + Tile::kRows - 1) / Tile::kRows;
    const int column_tiles = (chunk_classes(args) + Tile::kColumns - 1) / Tile::kColumns;
    const TilePlace place = tile_place(blockIdx.x, row_tiles, column_tiles);
    row = place.row * Tile::kRows;
    column = place.column * Tile::kColumns;
    number = place.column;
  }
};
