// From maxima and sums of parts to losses, and from those to one.
#pragma once

#include "cpu/exp2.h"
#include "cpu/linear_cross_entropy_chunk.h"

inline float exponential_of(float exponent) {
  return exp2_of(exponent * kLog2OfE);
}

/// All parts of a row, in the order of their classes.
inline Part merged_parts(const Args& args, Index row) {
  Part all;
  for (Index i = 0; i < args.parts; ++i) {
    Part part;
    part.max = *part_field(args, i, kPartMax, row);
    part.sum = *part_field(args, i, kPartSum, row);
    if constexpr (kHasLabelSmoothing) part.weighted = *part_field(args, i, kPartWeighted, row);
    if constexpr (kStoreEntropy) part.entropy = *part_field(args, i, kPartEntropy, row);
    if constexpr (kHasArgmax) {
      part.argmax = *part_field(args, i, kPartArgmax, row);
      if constexpr (kVocabParallel) part.argmax += static_cast<float>(args.vocab_first);
    }
    all = i == 0 ? part : merged(all, part, [](float x) { return exp2_of(x); });
  }
  return with_what_was_lost(all);
}

/// Fields of partials: those of a part, with the target's logit as the third.
inline int partial_field(int field) {
  return field < kPartWeighted ? field : field + 1;
}

struct ShardedRow {
  Part part;
  float target_logit;
};

/// Of all shards.
inline ShardedRow merged_shards(const Args& args, Index token) {
  ShardedRow all{{}, 0.0f};
  for (Index shard = 0; shard < args.shards; ++shard) {
    const float* const from = args.partials + shard * (kPartFields + 1) * args.tokens + token;
    const auto field = [&](int number) { return from[partial_field(number) * args.tokens]; };
    Part part;
    part.max = field(kPartMax);
    part.sum = field(kPartSum);
    if constexpr (kHasLabelSmoothing) part.weighted = field(kPartWeighted);
    if constexpr (kStoreEntropy) part.entropy = field(kPartEntropy);
    if constexpr (kHasArgmax) part.argmax = field(kPartArgmax);
    all.part = shard == 0 ? part : merged(all.part, part, [](float x) { return exp2_of(x); });
    all.target_logit += from[2 * args.tokens];
  }
  all.part = with_what_was_lost(all.part);
  return all;
}

/// Of one shard, for merge.
inline void store_partial(const Args& args, Index token, const Part& part, float target_logit) {
  const auto store = [&](int field, float value) {
    args.partials[partial_field(field) * args.tokens + token] = value;
  };
  store(kPartMax, part.max);
  store(kPartSum, part.sum);
  args.partials[2 * args.tokens + token] = target_logit;
  if constexpr (kHasLabelSmoothing) store(kPartWeighted, part.weighted);
  if constexpr (kStoreEntropy) store(kPartEntropy, part.entropy);
  if constexpr (kHasArgmax) store(kPartArgmax, part.argmax);
}

inline RowFacts facts_of(const Args& args, Index token, float lse, float target_logit,
                         float log_probability) {
  return {.lse = lse,
          .target_logit = target_logit,
          .log_probability = log_probability,
          .target_weight = class_weight(args, target_of(args, token)),
          .probability = kScalesByProbability ? exponential_of(log_probability) : 1.0f,
          .classes = static_cast<float>(kVocabParallel ? args.vocab_total : kVocabSize)};
}

inline RowFacts facts_of_part(const Args& args, Index token, const Part& part, float target_logit) {
  const float log_sum = __builtin_logf(part.sum);
  return facts_of(args, token, part.max + log_sum, target_logit, (target_logit - part.max) - log_sum);
}

inline void store_factors(const Args& args, Index row, Index token, const RowFacts& facts) {
  const Totals& totals = totals_of(args);
  const float upstream = upstream_of(args, totals, static_cast<int>(token));
  const GradientFactors factors = gradient_factors(args, totals, facts, upstream);
  *row_plane(args, kRowLse, row) = facts.lse;
  *row_plane(args, kRowLogProbability, row) = facts.log_probability;
  *row_plane(args, kRowOfProbability, row) = factors.of_probability;
  *row_plane(args, kRowOfTarget, row) = factors.of_target;
  *row_plane(args, kRowOfWeights, row) = factors.of_weights;
  if constexpr (kHasEntropyGradient) {
    *row_plane(args, kRowOfEntropy, row) = args.entropy_upstream[token] / totals.upstream_unit;
    *row_plane(args, kRowEntropy, row) = args.entropy_in[token];
  }
}

/// Losses and all else that is stored per token.
inline void store_row(const Args& args, Index row, Index token, const Part& part, const RowFacts& facts) {
  const RowLoss loss = loss_of_row(args, totals_of(args), facts, part.weighted);
  *row_plane(args, kRowLoss, row) = loss.loss;
  *row_plane(args, kRowZLoss, row) = loss.z_loss;
  if constexpr (kStoreLosses) args.losses[token] = loss.loss + loss.z_loss;
  if constexpr (kStoreZLoss && kReduction == Reduction::none) args.z_loss[token] = loss.z_loss;
  if constexpr (kStoreLse) args.lse[token] = facts.lse;
  if constexpr (kStoreTargetLogits) args.target_logits[token] = facts.target_logit;
  // -sum of p log(p), with log(p) = (z - max) - log(sum)
  if constexpr (kStoreEntropy) args.entropy[token] = __builtin_logf(part.sum) - part.entropy / part.sum;
  if constexpr (kHasArgmax) {
    const auto argmax = static_cast<long long>(part.argmax);
    *row_plane(args, kRowIsRight, row) = argmax == target_of(args, token) ? 1.0f : 0.0f;
    if constexpr (kStoreArgmax) args.argmax[token] = argmax;
  }
}

/// Rows of the chunk. REQUIRES: row counts.
inline void finish_row(const Args& args, Index row) {
  const Index token = args.row_tokens[args.first_row + row];
  if constexpr (kMode == Mode::recompute) {
    const float target_logit = kScalesByProbability ? args.target_logits_in[token] : 0.0f;
    const float lse = args.lse_in[token];
    store_factors(args, row, token, facts_of(args, token, lse, target_logit, target_logit - lse));
  } else if constexpr (kMode == Mode::merge) {
    const ShardedRow all = merged_shards(args, token);
    store_row(args, row, token, all.part, facts_of_part(args, token, all.part, all.target_logit));
  } else if constexpr (kVocabParallel) {
    const long long target = target_of(args, token) - args.vocab_first;
    const bool is_here = target >= 0 && target < kVocabSize;
    store_partial(args, token, merged_parts(args, row),
                  is_here ? *row_plane(args, kRowTargetLogit, row) : 0.0f);
  } else {
    const Part part = merged_parts(args, row);
    const RowFacts facts = facts_of_part(args, token, part, *row_plane(args, kRowTargetLogit, row));
    store_row(args, row, token, part, facts);
    if constexpr (kMode == Mode::gradient_in_forward) store_factors(args, row, token, facts);
  }
}

/// The sum of a plane over all rows, of all chunks.
inline double sum_of_plane(const Args& args, RowPlane plane) {
  double sum = 0;
  for (Index row = 0; row < totals_of(args).rows; ++row)
    sum += args.row_values[plane * args.row_stride + row];
  return sum;
}

/// What is one number for all tokens.
__attribute__((noinline)) void reduce_rows(const Args& args) {
  const Totals& totals = totals_of(args);
  if constexpr (kStoreAccuracy) {
    *args.accuracy = totals.rows == 0 ? __builtin_nanf("")
                                      : static_cast<float>(sum_of_plane(args, kRowIsRight) / totals.rows);
  }
  if constexpr (kReduction == Reduction::none) return;
  const double z_loss = kHasZLoss ? sum_of_plane(args, kRowZLoss) / totals.z_divisor : 0.0;
  const double loss = sum_of_plane(args, kRowLoss) / totals.loss_divisor + z_loss;
  *args.loss = totals.bad_tokens > 0 ? __builtin_nanf("") : static_cast<float>(loss);
  if constexpr (kStoreZLoss)
    *args.z_loss = totals.bad_tokens > 0 ? __builtin_nanf("") : static_cast<float>(z_loss);
}
