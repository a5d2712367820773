// Maxima and sums of logits: a part of the classes, a panel of rows, one row per lane.
#pragma once

#include "cpu/linear_cross_entropy_logits.h"

/// As Part, for each lane.
struct PanelPart {
  Floats max = -__builtin_inff();
  Floats sum = 0.0f;
  Floats lost = 0.0f;  ///< what rounding took from the sum while it was added up
  Floats weighted = 0.0f;
  Floats entropy = 0.0f;
  Floats argmax = 0.0f;
};

inline Floats finite_max(Floats max) {
  return max == -__builtin_inff() ? Floats(0.0f) : max;
}

/// Maxima over a tile's classes; `first` is the number of the first, in the shard. Returns the maxima before.
inline Floats add_maxima(const Args& args, ClassTile tile, int panel, LogitTile& logits, PanelPart& part) {
  const Floats before = part.max;
  const Index first = args.first_class + tile.first;
  const Index first_weight = (kVocabParallel ? args.vocab_first : 0) + first;
#pragma clang loop unroll(disable)
  for (int i = 0; i < tile.classes; ++i) {
    const Floats z = F32::load(logits.at(i, panel));
    if constexpr (kHasArgmax) {
      const Floats number = static_cast<float>(first + i);
      part.argmax = z > part.max ? number : part.argmax;
    }
    part.max = larger(part.max, z);
    if constexpr (kHasLabelSmoothing) {
      const float weight = class_weight(args, first_weight + i);
      if (weight != 0.0f) part.weighted += weight * z;
    }
  }
  return before;
}

/// Multiplies what was summed up against a smaller maximum.
inline void rescale(Floats before, PanelPart& part) {
  const Floats difference = before - finite_max(part.max);
  const Floats factor = exp2_of(difference * kLog2OfE);
  if constexpr (kStoreEntropy) {
    const Floats entropy = factor * (part.entropy + difference * part.sum);
    part.entropy = factor == 0.0f ? Floats(0.0f) : entropy;
  }
  part.sum *= factor;
  part.lost *= factor;
}

/// Adds, and keeps what rounding takes. Either may be the larger one: a target that is all but certain comes
/// with the last tile as with the first.
inline void add_to_sum(Floats value, PanelPart& part) {
  const Floats sum = part.sum + value;
  const Floats added = sum - part.sum;
  part.lost += (part.sum - (sum - added)) + (value - added);
  part.sum = sum;
}

/// Adds the exponentials of a tile. Takes each: of a class, the exponentials, and the logits less the maxima.
/// A few are added up at a time: one after the other, many small ones would vanish beside a 1.
template <class Take>
inline void add_exponentials(ClassTile tile, int panel, LogitTile& logits, PanelPart& part, Take take) {
  constexpr int kFew = 8;
  const Floats max = finite_max(part.max);
  Floats entropy = 0.0f;
#pragma clang loop unroll(disable)
  for (int first = 0; first < tile.classes; first += kFew) {
    const int end = smaller_of(first + kFew, tile.classes);
    PanelPart few;
#pragma clang loop unroll(disable)
    for (int i = first; i < end; ++i) {
      const Floats difference = F32::load(logits.at(i, panel)) - max;
      const Floats exponential = exp2_of(difference * kLog2OfE);
      few.sum += exponential;
      if constexpr (kStoreEntropy)
        few.entropy += exponential == 0.0f ? Floats(0.0f) : exponential * difference;
      take(i, exponential, difference);
    }
    add_to_sum(few.sum, part);
    if constexpr (kStoreEntropy) entropy += few.entropy;
  }
  if constexpr (kStoreEntropy) part.entropy += entropy;
}

/// Leaves the logits of targets that are among the tile's classes.
inline void take_target_logits(const Args& args, RowGroup group, ClassTile tile, const GroupTargets& targets,
                               LogitTile& logits) {
  const auto first = static_cast<float>(tile.first);
  for (int i = 0; i < group.rows; ++i) {
    const float of_class = targets.at[i] - first;
    if (targets.at[i] < first || of_class >= static_cast<float>(tile.classes)) continue;
    *row_plane(args, kRowTargetLogit, group.first + i) =
        logits.logits[static_cast<int>(of_class) * kGroupRows + i];
  }
}

inline void store_part(const Args& args, Index number, Index row, const PanelPart& part) {
  const auto store = [&](int field, Floats values) {
    F32::store(part_field(args, number, field, row), values);
  };
  store(kPartMax, part.max);
  store(kPartSum, part.sum + part.lost);
  if constexpr (kHasLabelSmoothing) store(kPartWeighted, part.weighted);
  if constexpr (kStoreEntropy) store(kPartEntropy, part.entropy);
  if constexpr (kHasArgmax) store(kPartArgmax, part.argmax);
}

/// Forward_only: a part is a range of tiles, one after the other.
__attribute__((noinline)) void reduce_tiles(const Args& args, Index number, RowGroup group) {
  const Index tiles = tiles_of_chunk(args);
  const Index end = (number + 1) * tiles / args.parts;
  const GroupTargets targets(args, group);
  PanelPart parts[kGroupPanels];
  LogitTile logits;
  for (Index i = number * tiles / args.parts; i < end; ++i) {
    const ClassTile tile = class_tile(args, i);
    multiply_tile(args, group, tile, logits);
    finish_logits(args, group, tile, logits);
    take_target_logits(args, group, tile, targets, logits);
    for (int panel = 0; panel < group.panels(); ++panel) {
      PanelPart& part = parts[panel];
      rescale(add_maxima(args, tile, panel, logits, part), part);
      add_exponentials(tile, panel, logits, part, [](int, Floats, Floats) {});
    }
  }
  for (int panel = 0; panel < group.panels(); ++panel)
    store_part(args, number, group.first + panel * kPanelRows, parts[panel]);
}

/// Gradient_in_forward: a part is a tile, whose exponentials go to the slab.
__attribute__((noinline)) void keep_exponentials(const Args& args, Index number, RowGroup group) {
  const ClassTile tile = class_tile(args, number);
  const GroupTargets targets(args, group);
  LogitTile logits;
  multiply_tile(args, group, tile, logits);
  finish_logits(args, group, tile, logits);
  take_target_logits(args, group, tile, targets, logits);
  for (int panel = 0; panel < group.panels(); ++panel) {
    const Index row = group.first + panel * kPanelRows;
    PanelPart part;
    add_maxima(args, tile, panel, logits, part);
    add_exponentials(tile, panel, logits, part, [&](int i, Floats exponentials, Floats distances) {
      Floats kept = without_tiny(exponentials);
      if constexpr (kKeepsSmall) {
        const Floats small =
            __is_same(X, F16) ? distances : -slope_of(args, finite_max(part.max) + distances);
        kept = exponentials < kLeastExponential ? small : kept;
      }
      store_in_slab(args, tile.first + i, row, kept);
    });
    store_part(args, number, row, part);
  }
}
