// Gradients of logits, for the slab, and their sums by classes.
#pragma once

#include "cpu/linear_cross_entropy_logits.h"

/// What the gradients of a panel of rows are made with.
struct PanelGradient {
  Floats lse;
  Floats of_probability;
  Floats of_target;
  Floats of_weights;
  Floats target;  ///< number in the chunk

  PanelGradient(const Args& args, Index row, const GroupTargets& targets, int panel)
      : lse(F32::load(row_plane(args, kRowLse, row))),
        of_probability(F32::load(row_plane(args, kRowOfProbability, row))),
        of_target(F32::load(row_plane(args, kRowOfTarget, row))),
        of_weights(F32::load(row_plane(args, kRowOfWeights, row))),
        target(F32::load(targets.at + panel * kPanelRows)) {}

  Floats probability(Floats logit) const { return exp2_of((logit - lse) * kLog2OfE); }
  /// `scaled` are probabilities times of_probability, `weight` the class's.
  Floats gradient(Floats scaled, float weight) const {
    return kHasLabelSmoothing ? scaled - of_weights * weight : scaled;
  }
};

/// What the entropies of a panel of rows add.
struct PanelEntropy {
  Floats upstream = 0.0f;  ///< in the slab's units
  Floats entropy = 0.0f;

  PanelEntropy(const Args& args, Index row) {
    if constexpr (kHasEntropyGradient) {  // else nobody has written the planes
      upstream = F32::load(row_plane(args, kRowOfEntropy, row));
      entropy = F32::load(row_plane(args, kRowEntropy, row));
    }
  }

  /// A class that is masked has no logarithm.
  Floats gradient(Floats probability, Floats log_probability) const {
    const Floats gradient = upstream * probability * (log_probability + entropy);
    return probability == 0.0f ? Floats(0.0f) : -gradient;
  }
};

inline Index number_in_weights(const Args& args, ClassTile tile) {
  return (kVocabParallel ? args.vocab_first : 0) + args.first_class + tile.first;
}

/// Recompute: from logits.
__attribute__((noinline)) void keep_gradients(const Args& args, Index number, RowGroup group) {
  const ClassTile tile = class_tile(args, number);
  const Index first_weight = number_in_weights(args, tile);
  const GroupTargets targets(args, group);
  LogitTile logits;
  multiply_tile(args, group, tile, logits);
  finish_logits(args, group, tile, logits);
  for (int panel = 0; panel < group.panels(); ++panel) {
    const Index row = group.first + panel * kPanelRows;
    const PanelGradient rows(args, row, targets, panel);
    const PanelEntropy entropies(args, row);
#pragma clang loop unroll(disable)
    for (int i = 0; i < tile.classes; ++i) {
      const Floats logit = F32::load(logits.at(i, panel));
      const Floats probability = rows.probability(logit);
      Floats gradient =
          rows.gradient(rows.of_probability * probability, class_weight(args, first_weight + i));
      if constexpr (kHasEntropyGradient) gradient += entropies.gradient(probability, logit - rows.lse);
      gradient = rows.target == static_cast<float>(tile.first + i) ? gradient - rows.of_target : gradient;
      store_in_slab(args, tile.first + i, row, without_tiny(slope_of(args, logit) * gradient));
    }
  }
}

/// Logits from their rounded exponentials, for a soft cap's slope. One that was too small to be kept has no
/// gradient that depends on it, unless its distance was kept.
inline Floats logit_of_exponential(Floats max, Floats exponential) {
  constexpr float kSmallest = __is_same(X, F16) ? 0x1p-25f : 0x1p-100f;
  const Floats distance = log_of(exponential < kSmallest ? Floats(kSmallest) : exponential);
  return max + (exponential < 0.0f ? exponential : distance);
}

/// Gradient_in_forward: from exponentials, in place. The target's own comes from its logit in float.
__attribute__((noinline)) void make_gradients(const Args& args, Index number, RowGroup group) {
  const ClassTile tile = class_tile(args, number);
  const Index first_weight = number_in_weights(args, tile);
  const GroupTargets targets(args, group);
  for (int panel = 0; panel < group.panels(); ++panel) {
    const Index row = group.first + panel * kPanelRows;
    const PanelGradient rows(args, row, targets, panel);
    const Floats max = F32::load(part_field(args, number, kPartMax, row));
    const Floats least = max == -__builtin_inff() ? Floats(0.0f) : max;
    const Floats factor = rows.of_probability * rows.probability(max);
    const Floats target_logit = F32::load(row_plane(args, kRowTargetLogit, row));
    const Floats target_probability = exp2_of(F32::load(row_plane(args, kRowLogProbability, row)) * kLog2OfE);
    const Floats of_target = rows.of_probability * target_probability - rows.of_target;
#pragma clang loop unroll(disable)
    for (int i = 0; i < tile.classes; ++i) {
      const Floats exponential = X::load(slab_at(args, tile.first + i, row));
      const auto is_target = rows.target == static_cast<float>(tile.first + i);
      Floats slope = 1.0f;
      Floats scaled = exponential * factor;
      if constexpr (kHasSoftCap || kHasTemperature) {
        const Floats logit = is_target ? target_logit : logit_of_exponential(least, exponential);
        slope = slope_of(args, logit);
        if constexpr (kKeepsSmall && __is_same(X, F16)) {
          scaled = exponential < 0.0f ? rows.of_probability * rows.probability(logit) : scaled;
        } else if constexpr (kKeepsSmall) {
          const Floats kept = exponential < 0.0f ? -exponential : slope;
          slope = is_target ? slope : kept;
          scaled = exponential < 0.0f ? Floats(0.0f) : scaled;
        }
      }
      scaled = is_target ? of_target : scaled;
      const Floats gradient = slope * rows.gradient(scaled, class_weight(args, first_weight + i));
      store_in_slab(args, tile.first + i, row, without_tiny(gradient));
    }
  }
}

/// The sum of a class's gradients.
inline float sum_of_class(const Args& args, Index of_class, Index rows) {
  Floats sum = 0.0f;
  Index row = 0;
  for (; row + kPanelRows <= rows; row += kPanelRows) sum += X::load(slab_at(args, of_class, row));
  if (row < rows) {
    const Floats last = X::load(slab_at(args, of_class, row));
    sum += lane_floats() < static_cast<float>(rows - row) ? last : Floats(0.0f);
  }
  return sum_of_lanes(sum);
}
