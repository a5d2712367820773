// Rows of which all parts are known: their lse, losses, and gradients' factors.
#pragma once

#include "cuda/cross_entropy_factors.cuh"

constexpr int kFinishThreads = 256;
/// A row per lane; warps share out the parts.
constexpr int kFinishRows = 32;
constexpr int kFinishWarps = kFinishThreads / kFinishRows;

/// Rows of this block, one per lane.
struct FinishedRow {
  int in_chunk;
  Index row;
  bool exists;

  __device__ explicit FinishedRow(const Arguments& args)
      : in_chunk(static_cast<int>(blockIdx.x) * kFinishRows + threadIdx.x % 32),
        row(args.first_row + in_chunk),
        exists(in_chunk < chunk_rows(args)) {}
};

/// Merges the parts of the block's rows, in the order of their classes. All threads call it; the first warp
/// gets the result. `part(i)` is that of the thread's row.
template <class PartOf>
__device__ inline Part merged_over_block(Index parts, bool exists, PartOf part) {
  __shared__ float shared[kFinishWarps][kPartFields][kFinishRows];
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  Part own;
  if (exists) {
#pragma unroll 1
    for (Index i = warp * parts / kFinishWarps; i < (warp + 1) * parts / kFinishWarps; ++i)
      own = merged(own, part(i), fast_exp2);
  }
  own = with_what_was_lost(own);
  for_each_field(own, [&](int field, float value) { shared[warp][field][lane] = value; });
  __syncthreads();
  if (warp != 0) return own;
#pragma unroll 1
  for (int other = 1; other < kFinishWarps; ++other) {
    Part next;
    for_each_field(next, [&](int field, float& value) { value = shared[other][field][lane]; });
    own = merged(own, next, fast_exp2);
  }
  return with_what_was_lost(own);
}

/// Of parts in the workspace.
__device__ inline Part merged_parts_of_row(const Arguments& args, const FinishedRow& row) {
  return merged_over_block(args.parts, row.exists, [&](Index i) {
    Part part;
    const float* from = args.part_values + i * kPartFields * args.chunk_rows + row.in_chunk;
    for_each_field(part, [&](int field, float& value) { value = from[field * args.chunk_rows]; });
    return part;
  });
}

/// The number of a field in args.partials, which have the target's logit behind the sum.
constexpr int kPartialTarget = 2;
__device__ inline int partial_of(int field) {
  return field < kPartialTarget ? field : field + 1;
}

__device__ inline RowFacts facts_of(const Arguments& args, const Part& part, float target_logit,
                                    long long target) {
  const float max = finite_max(part.max);
  const float log_sum = logf(part.sum);
  RowFacts facts{max + log_sum, target_logit, (target_logit - max) - log_sum, 1.0f, 1.0f, all_classes(args)};
  if constexpr (kHasClassWeights) facts.target_weight = args.class_weights[target];
  if constexpr (kScalesByProbability) facts.probability = exp_of(facts.log_probability);
  return facts;
}

__device__ inline void store_token(const Arguments& args, int token, const Part& part, const RowFacts& facts,
                                   const RowLoss& loss) {
  if constexpr (kStoreLosses) args.losses[token] = loss.loss + loss.z_loss;
  if constexpr (kStoreZLoss && kReduction == Reduction::none) args.z_loss[token] = loss.z_loss;
  if constexpr (kStoreLse) args.lse[token] = facts.lse;
  if constexpr (kStoreTargetLogits) args.target_logits[token] = facts.target_logit;
  if constexpr (kStoreEntropy) args.entropy[token] = logf(part.sum) - part.entropy / part.sum;
  if constexpr (kStoreArgmax) args.argmax[token] = static_cast<Index>(part.argmax);
}

/// A row of which everything is known.
__device__ inline void finish_row(const Arguments& args, Index row, const Part& part, float target_logit) {
  const int token = args.row_tokens[row];
  const long long target = target_of(args, token);
  const RowFacts facts = facts_of(args, part, target_logit, target);
  const RowLoss loss = loss_of_row(args, totals_of(args), facts, part.weighted);
  row_value(args, kRowLse, row) = facts.lse;
  row_value(args, kRowLogProbability, row) = facts.log_probability;
  row_value(args, kRowLoss, row) = loss.loss;
  row_value(args, kRowZLoss, row) = loss.z_loss;
  if constexpr (kStoreAccuracy)
    row_value(args, kRowIsRight, row) = static_cast<long long>(part.argmax) == target ? 1.0f : 0.0f;
  store_token(args, token, part, facts, loss);
  if constexpr (kMode == Mode::gradient_in_forward)
    store_factors(args, row,
                  gradient_factors(args, totals_of(args), facts, upstream_of(args, totals_of(args), token)));
}

/// A shard's part of a row.
__device__ inline void store_partial(const Arguments& args, Index row, Part part) {
  const int token = args.row_tokens[row];
  const long long column = target_of(args, token) - args.vocab_first;
  const bool is_own = column >= 0 && column < kVocabSize;
  args.partials[kPartialTarget * args.tokens + token] = is_own ? row_value(args, kRowTargetLogit, row) : 0.0f;
  if constexpr (kHasArgmax) part.argmax += static_cast<float>(args.vocab_first);
  for_each_field(
      part, [&](int field, float value) { args.partials[partial_of(field) * args.tokens + token] = value; });
}

__device__ inline void finish_rows(const Arguments& args) {
  const FinishedRow row(args);
  const Part part = merged_parts_of_row(args, row);
  if (threadIdx.x >= kFinishRows || !row.exists) return;
  if constexpr (kMode == Mode::forward_only && kVocabParallel) {
    store_partial(args, row.row, part);
  } else {
    finish_row(args, row.row, part, row_value(args, kRowTargetLogit, row.row));
  }
}

/// From the partials of all shards.
__device__ inline void merge_shards(const Arguments& args) {
  const FinishedRow row(args);
  const Index token = row.exists ? args.row_tokens[row.row] : 0;
  const Part part = merged_over_block(args.shards, row.exists, [&](Index shard) {
    Part partial;
    const float* from = args.partials + shard * (kPartFields + 1) * args.tokens + token;
    for_each_field(partial, [&](int field, float& value) { value = from[partial_of(field) * args.tokens]; });
    return partial;
  });
  if (threadIdx.x >= kFinishRows || !row.exists) return;
  float target_logit = 0.0f;
#pragma unroll 1
  for (Index shard = 0; shard < args.shards; ++shard)
    target_logit += args.partials[(shard * (kPartFields + 1) + kPartialTarget) * args.tokens + token];
  finish_row(args, row.row, part, target_logit);
}

/// Gradients' factors, from the lse that a forward has stored.
__device__ inline void find_factors(const Arguments& args) {
  const int row_in_chunk = static_cast<int>(blockIdx.x * kFinishThreads + threadIdx.x);
  if (row_in_chunk >= chunk_rows(args)) return;
  const Index row = args.first_row + row_in_chunk;
  const int token = args.row_tokens[row];
  RowFacts facts{args.lse_in[token], 0.0f, 0.0f, 1.0f, 1.0f, all_classes(args)};
  if constexpr (kHasClassWeights) facts.target_weight = args.class_weights[target_of(args, token)];
  if constexpr (kScalesByProbability) facts.probability = exp_of(args.target_logits_in[token] - facts.lse);
  row_value(args, kRowLse, row) = facts.lse;
  store_factors(args, row,
                gradient_factors(args, totals_of(args), facts, upstream_of(args, totals_of(args), token)));
  if constexpr (kHasEntropyGradient) {
    row_value(args, kRowOfEntropy, row) = args.entropy_upstream[token] / totals_of(args).upstream_unit;
    row_value(args, kRowEntropy, row) = args.entropy_in[token];
  }
}
