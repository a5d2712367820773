// d_hidden: gradients of logits x weight.
#pragma once

#include "cpu/linear_cross_entropy_chunk.h"
#include "cpu/panel_product.h"

/// Some 104 KiB, for the stack and the second-level cache: a slice of the columns for a group of rows.
struct HiddenSlice {
  static constexpr int kColumns = kSliceColumns;
  static constexpr int kPanels = kColumns / kLanes;
  static_assert(kColumns % kLanes == 0);
  alignas(64) float sums[kGroupRows * kColumns];
  alignas(64) float gradients[kTileClasses * kGroupRows];  ///< [class][row]
  alignas(64) float weights[kTileClasses * kColumns];  ///< by panels of columns, in the order of X's lanes
};

inline Index hidden_slices() {
  return divide_up(kHiddenSize, HiddenSlice::kColumns);
}

inline void widen_tile(const Args& args, RowGroup group, ClassTile tile, Index column, HiddenSlice& slice) {
#pragma clang loop unroll(disable)
  for (int i = 0; i < tile.classes; ++i) {
    const X::Storage* const gradients = slab_at(args, tile.first + i, group.first);
    for (int panel = 0; panel < group.panels(); ++panel) {
      const int at = panel * kPanelRows;
      F32::store(slice.gradients + i * kGroupRows + at, X::load(gradients + at));
    }
    const X::Storage* const weights = weight_row(args, tile.first + i);
#pragma clang loop unroll(full)
    for (int panel = 0; panel < HiddenSlice::kPanels; ++panel) {
      const Index at = column + panel * kLanes;
      if (at >= kHiddenSize) break;
      F32::store(slice.weights + (panel * kTileClasses + i) * kLanes,
                 load_up_to<X>(static_cast<int>(smaller_of<Index>(kHiddenSize - at, kLanes)), weights + at));
    }
  }
}

/// Adds the products with a tile of classes.
inline void add_tile(const Args& args, RowGroup group, ClassTile tile, Index column, bool is_first,
                     HiddenSlice& slice) {
  widen_tile(args, group, tile, column, slice);
  for (int panel = 0; panel < HiddenSlice::kPanels && column + panel * kLanes < kHiddenSize; ++panel) {
    const PanelProduct product{.left = slice.gradients,
                               .right = slice.weights + panel * kTileClasses * kLanes,
                               .depth = tile.classes,
                               .result = slice.sums + panel * kLanes,
                               .result_stride = HiddenSlice::kColumns,
                               .adds = !is_first};
    multiply_panel<1, kGroupRows>(group.rows, product);
  }
}

/// Stores a row's sums, or adds them up where other chunks have other classes.
inline void store_slice(const Args& args, Index row, Index column, const float* sums, float scale) {
  const bool is_first = args.first_class == 0;
  const bool is_last = args.first_class + args.chunk_classes >= kVocabSize;
  auto* const to = static_cast<DHidden::Storage*>(args.d_hidden) +
                   args.row_tokens[args.first_row + row] * args.d_hidden_stride;
  for (Index at = column; at < smaller_of<Index>(column + HiddenSlice::kColumns, kHiddenSize); at += kLanes) {
    const int count = static_cast<int>(smaller_of<Index>(kHiddenSize - at, kLanes));
    Floats values = F32::load(sums + at - column);
    if (args.d_hidden_sums != nullptr) {
      float* const others = args.d_hidden_sums + row * kHiddenSize + at;
      if (!is_first) values += in_order_of<X, F32>(load_up_to<F32>(count, others));
      if (!is_last) store_up_to<X, F32>(count, others, values, 1.0f, false);
    }
    if (is_last) store_up_to<X, DHidden>(count, to + at, with_plain_nans(values * scale), 1.0f, false);
  }
}

__attribute__((noinline)) void make_d_hidden(const Args& args, Index slice_number, RowGroup group) {
  const Index column = slice_number * HiddenSlice::kColumns;
  HiddenSlice slice;
  if (group.rows > 0) {
    const Index tiles = tiles_of_chunk(args);
    for (Index i = 0; i < tiles; ++i) add_tile(args, group, class_tile(args, i), column, i == 0, slice);
    const float scale = gradient_scale(args, totals_of(args));
    for (int row = 0; row < group.rows; ++row)
      store_slice(args, group.first + row, column, slice.sums + row * HiddenSlice::kColumns, scale);
  }
  // The chunk's tokens that do not count.
  if (args.first_class + args.chunk_classes < kVocabSize) return;
  const Index end =
      smaller_of(group.first + kGroupRows, smaller_of(args.chunk_rows, args.tokens - args.first_row));
  for (Index row = group.first + group.rows; row < end; ++row) {
    auto* const to = static_cast<DHidden::Storage*>(args.d_hidden) +
                     args.row_tokens[args.first_row + row] * args.d_hidden_stride;
    for (Index at = column; at < smaller_of<Index>(column + HiddenSlice::kColumns, kHiddenSize);
         at += kLanes) {
      const int count = static_cast<int>(smaller_of<Index>(kHiddenSize - at, kLanes));
      store_up_to<DHidden, DHidden>(count, to + at, Floats(0.0f), 1.0f, false);
    }
  }
}
