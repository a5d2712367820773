// Which tokens count, what all of them have in common, and what is stored of those that do not.
#pragma once

#include "cpu/linear_cross_entropy_chunk.h"

/// Of a token that does not count: nothing, or a loss that is no number.
inline void store_uncounted(const Args& args, Index token, bool is_bad) {
  if constexpr (kMode == Mode::recompute) return;
  if constexpr (kVocabParallel && kMode == Mode::forward_only) {
    for (int field = 0; field <= kPartFields; ++field) args.partials[field * args.tokens + token] = 0.0f;
    return;
  }
  if constexpr (kStoreLosses) args.losses[token] = is_bad ? __builtin_nanf("") : 0.0f;
  if constexpr (kStoreZLoss && kReduction == Reduction::none) args.z_loss[token] = 0.0f;
  if constexpr (kStoreLse) args.lse[token] = 0.0f;
  if constexpr (kStoreTargetLogits) args.target_logits[token] = 0.0f;
  if constexpr (kStoreEntropy) args.entropy[token] = 0.0f;
  if constexpr (kStoreArgmax) args.argmax[token] = -1;
}

inline float weight_of_all(const Args& args, Index classes) {
  if constexpr (!kHasClassWeights) return static_cast<float>(classes);
  double sum = 0;
  for (Index i = 0; i < classes; ++i) sum += args.class_weights[i];
  return static_cast<float>(sum);
}

inline float larger_of(float a, float b) {
  return b > a ? b : a;
}

/// Tokens that count get row_tokens from the front, in their order, the others what is left.
__attribute__((noinline)) void list_rows(const Args& args) {
  int rows = 0, others = 0, bad = 0;
  double weights = 0;
  LargestMagnitudes magnitudes;
  const float all_weights = weight_of_all(args, kVocabParallel ? args.vocab_total : kVocabSize);
  for (Index token = 0; token < args.tokens; ++token) {
    const long long target = target_of(args, token);
    const TargetKind kind = kind_of_target(args, target);
    if (kind == TargetKind::counts) {
      args.row_tokens[rows++] = static_cast<int>(token);
      weights += class_weight(args, target);
      if constexpr (kHasSlabUnit)
        take_largest(magnitudes, magnitudes_of(args, all_weights, token, target), larger_of);
      continue;
    }
    ++others;
    if (kind == TargetKind::bad) ++bad;
    store_uncounted(args, token, kind == TargetKind::bad);
  }
  for (Index token = args.tokens, at = args.tokens; others > 0; --others) {
    do --token;
    while (kind_of_target(args, target_of(args, token)) == TargetKind::counts);
    args.row_tokens[--at] = static_cast<int>(token);
  }
  if (bad > 0 && args.bad_targets != nullptr) *args.bad_targets = 1;
  const bool is_mean = kReduction == Reduction::mean && rows > 0;
  Totals totals{.rows = rows,
                .bad_tokens = bad,
                .loss_divisor = is_mean ? static_cast<float>(weights) : 1.0f,
                .z_divisor = is_mean ? static_cast<float>(rows) : 1.0f,
                .all_weights = all_weights,
                .upstream_unit = 1.0f};
  if constexpr (kHasSlabUnit) totals.upstream_unit = unit_of_slab(args, totals, magnitudes);
  *static_cast<Totals*>(args.totals) = totals;
}
