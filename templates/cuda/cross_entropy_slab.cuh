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

/// With a soft cap the gradient of a smoothed label depends on the slopes of classes whose exponentials are
/// too small to be kept. The slab holds a negative number in their place: of f16, whose probabilities still
/// count, the logit less the maximum; of other types, whose probabilities are nothing, the slope.
constexpr bool kKeepsSmall = kMode == Mode::gradient_in_forward && kHasSoftCap && kHasLabelSmoothing;
/// Where the element type begins to lose digits of exponentials.
template <class T>
constexpr bool kIsF16 = false;
template <>
constexpr bool kIsF16<F16> = true;
constexpr float kLeastExponential = kIsF16<X> ? 0x1p-14f : 0x1p-100f;

/// Whether a chunk has no tokens that count, and is between the first, which begins sums, and the last, which
/// rounds them.
__device__ inline bool adds_nothing(const Arguments& args, int rows) {
  return rows == 0 && !is_first_chunk_of_rows(args) &&
         !(args.d_weight_sums != nullptr && is_last_chunk_of_rows(args));
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
