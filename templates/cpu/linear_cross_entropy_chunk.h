// How linear_cross_entropy works through a chunk on the CPU, and where things lie in its workspace. Rows are
// the lanes of vectors: a vector of rows is a panel, and some panels are a group.
#pragma once

#include "common/linear_cross_entropy.h"
#include "cpu/rows.h"

using lathe::Index;
using Args = lathe::LinearCrossEntropyArgs;

constexpr int kPanelRows = kLanes;
constexpr int kGroupPanels = kGroupRows / kPanelRows;
static_assert(kGroupRows % kPanelRows == 0 && kPackedRows % kPanelRows == 0);

/// Hidden sizes as products take them: whole vectors, filled up with zeros.
constexpr int kPaddedHidden = (kHiddenSize + kLanes - 1) / kLanes * kLanes;

constexpr Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}

template <class T>
constexpr T smaller_of(T a, T b) {
  return a < b ? a : b;
}

inline const Totals& totals_of(const Args& args) {
  return *static_cast<const Totals*>(args.totals);
}

/// Of this round's chunk, the tokens that count.
inline Index rows_of_chunk(const Args& args) {
  const Index rows = totals_of(args).rows - args.first_row;
  return rows < 0 ? 0 : smaller_of(rows, args.chunk_rows);
}
inline Index classes_of_chunk(const Args& args) {
  return smaller_of(args.chunk_classes, Index{kVocabSize} - args.first_class);
}
inline Index tiles_of_chunk(const Args& args) {
  return divide_up(classes_of_chunk(args), kTileClasses);
}
inline Index groups_of_chunk(const Args& args) {
  return divide_up(args.chunk_rows, kGroupRows);
}

/// Rows that follow one another, at most a group.
struct RowGroup {
  Index first;  ///< in the chunk
  int rows;     ///< that count

  int panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
};

inline RowGroup row_group(const Args& args, Index number) {
  const Index first = number * kGroupRows;
  const Index rows = rows_of_chunk(args) - first;
  return {first, static_cast<int>(rows < 0 ? 0 : smaller_of<Index>(rows, kGroupRows))};
}

/// Classes that follow one another, at most a tile.
struct ClassTile {
  Index first;  ///< in the chunk
  int classes;
};

inline ClassTile class_tile(const Args& args, Index number) {
  const Index first = number * kTileClasses;
  return {first, static_cast<int>(smaller_of<Index>(classes_of_chunk(args) - first, kTileClasses))};
}

/// Of row `row` of the chunk. Planes reach to the end of the last panel.
inline float* row_plane(const Args& args, RowPlane plane, Index row) {
  return args.row_values + plane * args.row_stride + args.first_row + row;
}
inline float* part_field(const Args& args, Index part, int field, Index row) {
  return args.part_values + (part * kPartFields + field) * args.chunk_rows + row;
}

/// The slab is stored by classes, [chunk_classes, chunk_rows], and vector by vector: only whole panels are
/// read, as they were written.
inline X::Storage* slab_at(const Args& args, Index of_class, Index row) {
  return static_cast<X::Storage*>(args.slab) + of_class * args.chunk_rows + row;
}

inline const X::Storage* hidden_row(const Args& args, Index row) {
  const Index token = args.row_tokens[args.first_row + row];
  return static_cast<const X::Storage*>(args.hidden) + token * args.hidden_stride;
}
inline const X::Storage* weight_row(const Args& args, Index of_class) {
  return static_cast<const X::Storage*>(args.weight) + (args.first_class + of_class) * args.weight_stride;
}

/// With a soft cap the gradient of a smoothed label depends on the slopes of classes whose exponentials are
/// too small to be kept. The slab holds a negative number in their place: of f16, whose probabilities still
/// count, the logit less the maximum; of other types, whose probabilities are nothing, the slope.
constexpr bool kKeepsSmall = kMode == Mode::gradient_in_forward && kHasSoftCap && kHasLabelSmoothing;
/// Where the element type begins to lose digits of exponentials.
constexpr float kLeastExponential = __is_same(X, F16) ? 0x1p-14f : 0x1p-100f;

/// What the slab holds of very small numbers: nothing. Products of denormal numbers take a hundred times as
/// long.
inline Floats without_tiny(Floats values) {
  return magnitude(values) < 0x1p-100f ? Floats(0.0f) : values;
}

/// To the slab. What is no number may come from anybody's biases, upstreams or lse.
inline void store_in_slab(const Args& args, Index of_class, Index row, Floats values) {
  X::store(slab_at(args, of_class, row), plain_for<X, F32>(values));
}

/// hidden of a panel of rows, turned over: [kPaddedHidden][kPanelRows] floats, hidden columns in the order of
/// X's lanes.
inline float* packed_panel(const Args& args, Index row) {
  return args.packed_hidden + row / kPanelRows * (Index{kPaddedHidden} * kPanelRows);
}

inline long long target_of(const Args& args, Index token) {
  return static_cast<const Target*>(args.targets)[token];
}

inline float class_weight(const Args& args, Index of_all) {
  return kHasClassWeights ? args.class_weights[of_all] : 1.0f;
}

/// For each row of a group its target as a number in the chunk, or -1 where that is elsewhere.
struct GroupTargets {
  alignas(64) float at[kGroupRows];

  GroupTargets(const Args& args, RowGroup group) {
    const Index first = (kVocabParallel ? args.vocab_first : 0) + args.first_class;
    const Index classes = classes_of_chunk(args);
    for (float& target : at) target = -1.0f;
    for (int i = 0; i < group.rows; ++i) {
      const Index token = args.row_tokens[args.first_row + group.first + i];
      const Index target = target_of(args, token) - first;
      if (target >= 0 && target < classes) at[i] = static_cast<float>(target);
    }
  }
};

/// `count` floats of a vector of elements, in their order in memory.
template <class E>
inline Floats floats_up_to(int count, const typename E::Storage* from) {
  return in_order_of<F32, E>(load_up_to<E>(count, from));
}
