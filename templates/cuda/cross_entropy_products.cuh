// The products with the slab of gradients: d_hidden = slab weight, d_weight = slab^T hidden.
#pragma once

#include "cuda/cross_entropy_slab.cuh"

/// Of sums in the workspace: rows of hidden_size floats.
constexpr int kSumAlignment = kHiddenSize % 4 == 0 ? 16 : 4;
constexpr bool kHasWholeRuns = kHiddenSize % kRun == 0;
constexpr int kHiddenTiles = (kHiddenSize + Tile::kColumns - 1) / Tile::kColumns;

/// Of the chunk: its padding is zeros.
using SlabLines = StridedLines<kPaddedLines>;
__device__ inline SlabLines slab_lines(const Arguments& args) {
  return {static_cast<const char*>(args.slab), args.slab_stride * 2, chunk_rows(args)};
}

/// Where the rows of a chunk come from several chunks of classes, as only recompute has them, sums are in the
/// workspace in between.
__device__ inline void store_d_hidden(const Arguments& args, const TilePlace& place, char* shared,
                                      Products& sums) {
  const int first_row = place.row * Tile::kRows;
  const int rows = chunk_rows(args) - first_row;
  const bool has_sums = kMode == Mode::recompute && args.d_hidden_sums != nullptr;
  const bool is_last = !has_sums || is_last_chunk_of_classes(args);
  const float scale = slab_scale(args);
  for_each_run<Tile>(
      shared, chunk_tokens(args) - first_row, sums, [&](int row, int run, float(&values)[kRun]) {
        const int column = place.column * Tile::kColumns + run;
        if (column >= kHiddenSize) return;
        const int count = kHasWholeRuns ? kRun : kHiddenSize - column;
        float* partial = args.d_hidden_sums + Index{first_row + row} * kHiddenSize + column;
        if (has_sums && args.first_class > 0 && row < rows)
          add_run<F32, kSumAlignment>(partial, values, count);
        if (!is_last) {
          if (row < rows) store_run<F32, kSumAlignment>(partial, values, count);
          return;
        }
#pragma unroll
        for (int i = 0; i < kRun; ++i) values[i] = row < rows ? values[i] * scale : 0.0f;
        const Index token = args.row_tokens[args.first_row + first_row + row];
        auto* to = static_cast<DHidden::Storage*>(args.d_hidden) + token * args.d_hidden_stride + column;
        store_run<DHidden, kAlignment>(to, values, count);
      });
}

__device__ inline void multiply_by_weight(const Arguments& args, char* shared) {
  using Product = Gemm<Tile, X, Lines::along_depth, Lines::across_depth>;
  const int row_tiles = (chunk_tokens(args) + Tile::kRows - 1) / Tile::kRows;
  const TilePlace place = tile_place(blockIdx.x, row_tiles, kHiddenTiles);
  Products sums;
  sums.clear();
  if (place.row * Tile::kRows < chunk_rows(args)) {
    const int classes = chunk_classes(args);
    const WeightLines weight = weight_lines(args);
    Product::multiply(
        shared_address(shared), Product::LeftStream<SlabLines, 16>(slab_lines(args), place.row * Tile::kRows),
        Product::RightStream<WeightLines, kCopyBytes>(weight, place.column * Tile::kColumns), classes, sums);
  }
  store_d_hidden(args, place, shared, sums);
}

/// To what chunks of rows before have left, in d_weight or, where that has fewer, in sums of more digits.
__device__ inline void store_d_weight(const Arguments& args, const TilePlace& place, char* shared,
                                      Products& sums) {
  const bool is_first = is_first_chunk_of_rows(args);
  const bool is_last = is_last_chunk_of_rows(args);
  const bool has_sums = sizeof(DWeight::Storage) < 4 && args.d_weight_sums != nullptr;
  const bool adds = kAccumulateDWeight || (!has_sums && !is_first);
  const int first_row = place.row * Tile::kRows;
  const float scale = slab_scale(args);
  for_each_run<Tile>(
      shared, chunk_classes(args) - first_row, sums, [&](int row, int run, float(&values)[kRun]) {
        const int column = place.column * Tile::kColumns + run;
        if (column >= kHiddenSize) return;
        const int count = kHasWholeRuns ? kRun : kHiddenSize - column;
#pragma unroll
        for (int i = 0; i < kRun; ++i) values[i] *= scale;
        const Index of_all = args.first_class + first_row + row;
        float* partial = args.d_weight_sums + of_all * kHiddenSize + column;
        if (has_sums && !is_first) add_run<F32, kSumAlignment>(partial, values, count);
        if (has_sums && !is_last) {
          store_run<F32, kSumAlignment>(partial, values, count);
          return;
        }
        auto* to = static_cast<DWeight::Storage*>(args.d_weight) + of_all * args.d_weight_stride + column;
        if (adds) add_run<DWeight, kAlignment>(to, values, count);
        store_run<DWeight, kAlignment>(to, values, count);
      });
}

__device__ inline void multiply_by_hidden(const Arguments& args, char* shared) {
  using Product = Gemm<Tile, X, Lines::across_depth, Lines::across_depth>;
  const int rows = chunk_rows(args);
  if (adds_nothing(args, rows)) return;
  // Blocks that run at the same time take all tiles of hidden, as the slab is the larger one.
  const int class_tiles = (chunk_classes(args) + Tile::kRows - 1) / Tile::kRows;
  const TilePlace turned = tile_place(blockIdx.x, kHiddenTiles, class_tiles);
  const TilePlace place{turned.column, turned.row};
  Products sums;
  sums.clear();
  if (rows > 0) {
    const HiddenLines hidden = hidden_lines(args);
    Product::multiply(
        shared_address(shared), Product::LeftStream<SlabLines, 16>(slab_lines(args), place.row * Tile::kRows),
        Product::RightStream<HiddenLines, kCopyBytes>(hidden, place.column * Tile::kColumns), rows, sums);
  }
  store_d_weight(args, place, shared, sums);
}
