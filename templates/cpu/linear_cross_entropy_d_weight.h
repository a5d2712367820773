// d_weight and d_bias: gradients of logits, turned over, x hidden, added up over chunks of rows.
#pragma once

#include "cpu/linear_cross_entropy_chunk.h"
#include "cpu/linear_cross_entropy_gradient.h"
#include "cpu/panel_product.h"

/// Some 76 KiB, for the stack and the second-level cache.
struct WeightSlice {
  static constexpr int kRows = kGroupRows;            ///< of the chunk, at a time
  alignas(64) float gradients[kTileClasses * kRows];  ///< [class][row], scaled
  alignas(64) float hidden[kRows * kLanes];           ///< [row][column]
  alignas(64) float sums[kTileClasses * kLanes];      ///< [class][column], where results are not floats
};

/// What a chunk does with the sums of those before.
struct ChunkOrder {
  bool is_first;
  bool is_last;

  explicit ChunkOrder(const Args& args)
      : is_first(args.first_row == 0), is_last(args.first_row + args.chunk_rows >= args.tokens) {}
  /// Whether there is something in d_weight that counts.
  bool adds_to_result() const { return kAccumulateDWeight || !is_first; }
};

/// Where sums are floats in memory: their row of a class; else null.
inline float* float_sums(const Args& args, Index of_class) {
  if (args.d_weight_sums != nullptr) return args.d_weight_sums + of_class * kHiddenSize;
  if constexpr (__is_same(DWeight, F32))
    return static_cast<float*>(args.d_weight) + of_class * args.d_weight_stride;
  return nullptr;
}
inline Index float_sums_stride(const Args& args) {
  return args.d_weight_sums != nullptr ? Index{kHiddenSize} : args.d_weight_stride;
}

inline DWeight::Storage* result_at(const Args& args, Index of_class) {
  return static_cast<DWeight::Storage*>(args.d_weight) + of_class * args.d_weight_stride;
}

/// Rounds floats, once, into a result.
inline void store_result(DWeight::Storage* to, Floats values, int count, bool adds) {
  if (adds) values += floats_up_to<DWeight>(count, to);
  store_up_to<F32, DWeight>(count, to, with_plain_nans(values), 1.0f, false);
}

inline void widen_gradients(const Args& args, RowGroup group, ClassTile tile, float scale,
                            WeightSlice& slice) {
#pragma clang loop unroll(disable)
  for (int i = 0; i < tile.classes; ++i) {
    const X::Storage* const from = slab_at(args, tile.first + i, group.first);
    float* const to = slice.gradients + i * WeightSlice::kRows;
    for (int panel = 0; panel < group.panels(); ++panel)
      F32::store(to + panel * kPanelRows, X::load(from + panel * kPanelRows) * scale);
  }
}

inline void pack_hidden(const Args& args, RowGroup group, Index column, WeightSlice& slice) {
  const int count = static_cast<int>(smaller_of<Index>(kHiddenSize - column, kLanes));
#pragma clang loop unroll(disable)
  for (int row = 0; row < group.rows; ++row) {
    F32::store(slice.hidden + row * kLanes,
               floats_up_to<X>(count, hidden_row(args, group.first + row) + column));
  }
}

/// A vector of columns of a tile's classes: the rows of all groups.
class WeightColumns {
 public:
  WeightColumns(const Args& args, ClassTile tile, Index column)
      : args_(args),
        tile_(tile),
        column_(column),
        first_class_(args.first_class + tile.first),
        count_(static_cast<int>(smaller_of<Index>(kHiddenSize - column, kLanes))),
        is_direct_(count_ == kLanes && float_sums(args, 0) != nullptr) {}

  /// REQUIRES: the slice's gradients are those of the group. `adds`: to sums, of earlier chunks or groups.
  void add(RowGroup group, bool adds, WeightSlice& slice) const {
    pack_hidden(args_, group, column_, slice);
    PanelProduct product{.left = slice.gradients,
                         .right = slice.hidden,
                         .depth = group.rows,
                         .result = slice.sums,
                         .result_stride = kLanes,
                         .adds = adds};
    if (is_direct_) {
      product.result = float_sums(args_, first_class_) + column_;
      product.result_stride = float_sums_stride(args_);
      product.ahead = reinterpret_cast<const char*>(product.result);
      product.ahead_stride = product.result_stride * static_cast<Index>(sizeof(float));
      product.ahead_lines = divide_up(kLanes * static_cast<int>(sizeof(float)), 64);
    }
    multiply_panel<WeightSlice::kRows, 1>(tile_.classes, product);
  }

  /// From the slice to where sums are. `adds`: to those of earlier chunks.
  void flush(bool adds, const WeightSlice& slice) const {
    if (is_direct_) return;
    for (int i = 0; i < tile_.classes; ++i) {
      Floats values = F32::load(slice.sums + i * kLanes);
      if (float* const sums = float_sums(args_, first_class_ + i); sums != nullptr) {
        if (adds) values += load_up_to<F32>(count_, sums + column_);
        store_up_to<F32, F32>(count_, sums + column_, values, 1.0f, false);
      } else {
        store_result(result_at(args_, first_class_ + i) + column_, values, count_, adds);
      }
    }
  }

  bool is_direct() const { return is_direct_; }

 private:
  const Args& args_;
  ClassTile tile_;
  Index column_;
  Index first_class_;
  int count_;
  bool is_direct_;
};

/// Sums of all of the chunk's rows.
inline void add_rows(const Args& args, ClassTile tile, Index rows, bool adds) {
  const Index groups = divide_up(rows, kGroupRows);
  const float scale = gradient_scale(args, totals_of(args));
  WeightSlice slice;
  if (float_sums(args, 0) != nullptr) {
    for (Index i = 0; i < groups; ++i) {
      const RowGroup group = row_group(args, i);
      widen_gradients(args, group, tile, scale, slice);
      for (Index column = 0; column < kHiddenSize; column += kLanes) {
        const WeightColumns columns(args, tile, column);
        columns.add(group, columns.is_direct() && (adds || i > 0), slice);
        columns.flush(adds || i > 0, slice);
      }
    }
    return;
  }
  // To be rounded once, a result has to be complete.
  for (Index column = 0; column < kHiddenSize; column += kLanes) {
    const WeightColumns columns(args, tile, column);
    for (Index i = 0; i < groups; ++i) {
      const RowGroup group = row_group(args, i);
      if (column == 0 || groups > 1) widen_gradients(args, group, tile, scale, slice);
      columns.add(group, i > 0, slice);
    }
    columns.flush(adds, slice);
  }
}

inline void clear_rows(const Args& args, ClassTile tile) {
  for (int i = 0; i < tile.classes; ++i) {
    const Index of_class = args.first_class + tile.first + i;
    float* const sums = float_sums(args, of_class);
    for (Index at = 0; at < kHiddenSize; at += kLanes) {
      const int count = static_cast<int>(smaller_of<Index>(kHiddenSize - at, kLanes));
      if (sums != nullptr) {
        store_up_to<F32, F32>(count, sums + at, Floats(0.0f), 1.0f, false);
      } else {
        store_result(result_at(args, of_class) + at, Floats(0.0f), count, false);
      }
    }
  }
}

__attribute__((noinline)) void make_d_weight(const Args& args, Index number) {
  const ClassTile tile = class_tile(args, number);
  const ChunkOrder order(args);
  const Index rows = rows_of_chunk(args);
  const bool has_sums = args.d_weight_sums != nullptr;
  const bool adds = has_sums ? !order.is_first : order.adds_to_result();
  if (rows > 0) {
    add_rows(args, tile, rows, adds);
  } else if (!adds) {
    clear_rows(args, tile);
  }
  if (!has_sums || !order.is_last) return;
  for (int i = 0; i < tile.classes; ++i) {
    const Index of_class = args.first_class + tile.first + i;
    const float* const sums = float_sums(args, of_class);
    for (Index at = 0; at < kHiddenSize; at += kLanes) {
      const int count = static_cast<int>(smaller_of<Index>(kHiddenSize - at, kLanes));
      store_result(result_at(args, of_class) + at, load_up_to<F32>(count, sums + at), count,
                   kAccumulateDWeight);
    }
  }
}

__attribute__((noinline)) void make_d_bias(const Args& args, Index number) {
  const ClassTile tile = class_tile(args, number);
  const ChunkOrder order(args);
  const Index rows = rows_of_chunk(args);
  const Index first = args.first_class + tile.first;
  const float scale = gradient_scale(args, totals_of(args));
  alignas(64) float of_chunk[kTileClasses + kLanes];
  for (int i = 0; i < tile.classes; ++i)
    of_chunk[i] = rows == 0 ? 0.0f : sum_of_class(args, tile.first + i, rows) * scale;
  auto* const result = static_cast<DWeight::Storage*>(args.d_bias) + first;
  for (int i = 0; i < tile.classes; i += kLanes) {
    const int count = smaller_of(tile.classes - i, kLanes);
    Floats values = F32::load(of_chunk + i);
    if (args.d_weight_sums == nullptr) {
      store_result(result + i, values, count, order.adds_to_result());
      continue;
    }
    float* const sums = args.d_weight_sums + Index{kVocabSize} * kHiddenSize + first + i;
    if (!order.is_first) values += load_up_to<F32>(count, sums);
    store_up_to<F32, F32>(count, sums, values, 1.0f, false);
    if (order.is_last) store_result(result + i, values, count, kAccumulateDWeight);
  }
}
