// Which tokens count, and what is stored of those that do not.
#pragma once

#include "cuda/compensated_sum.cuh"
#include "cuda/cross_entropy_block.cuh"
#include "cuda/reduce.cuh"

constexpr int kRowsThreads = 1024;
constexpr int kRowsWarps = kRowsThreads / 32;

/// Over the block; every thread gets the result. `partial` is not protected against a second round.
__device__ inline int summed_over_block(int value, int (&partial)[kRowsWarps]) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, distance);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  int total = 0;
#pragma unroll 4
  for (int i = 0; i < kRowsWarps; ++i) total += partial[i];
  return total;
}

__device__ inline float class_weight_sum(const Arguments& args) {
  const Index classes = kVocabParallel ? args.vocab_total : Index{kVocabSize};
  CompensatedSum sum;
#pragma unroll 1
  for (Index c = threadIdx.x; c < classes; c += kRowsThreads) sum.add(args.class_weights[c]);
  return sum.total();
}

/// Over the block; every thread gets the result. To be called once.
__device__ inline LargestMagnitudes largest_over_block(LargestMagnitudes own) {
  __shared__ float upstreams[kRowsWarps], weighted[kRowsWarps], z_losses[kRowsWarps], entropies[kRowsWarps];
  const auto reduce = [](float& value, float(&partial)[kRowsWarps]) {
    value = reduced_over_block<Max, kRowsThreads>(value, partial);
  };
  if constexpr (!kHasEntropyGradient) {
    reduce(own.upstream, upstreams);
  } else {
    reduce(own.weighted, weighted);
    reduce(own.entropy, entropies);
    if constexpr (kHasZLoss) reduce(own.z_loss, z_losses);
  }
  return own;
}

/// What all threads know of all tokens: how many count, and the divisors. Thread 0 stores them.
__device__ inline int count_tokens(const Arguments& args) {
  __shared__ int counts[kRowsWarps], bad_counts[kRowsWarps];
  __shared__ float weights[kRowsWarps], class_weights[kRowsWarps];
  int count = 0;
  int bad = 0;
  CompensatedSum weight;
  LargestMagnitudes magnitudes;
  float all_weights = all_classes(args);
  if constexpr (kHasClassWeights)
    all_weights = reduced_over_block<Sum, kRowsThreads>(class_weight_sum(args), class_weights);
#pragma unroll 1
  for (Index token = threadIdx.x; token < args.tokens; token += kRowsThreads) {
    const long long target = target_of(args, static_cast<int>(token));
    const TargetKind kind = kind_of_target(args, target);
    if (kind == TargetKind::bad) ++bad;
    if (kind != TargetKind::counts) continue;
    ++count;
    if constexpr (kHasSlabUnit) {
      const LargestMagnitudes own = magnitudes_of(args, all_weights, token, target);
      take_largest(magnitudes, own, [](float a, float b) { return fmaxf(a, b); });
    }
    if constexpr (kHasClassWeights && kReduction == Reduction::mean) weight.add(args.class_weights[target]);
  }
  count = summed_over_block(count, counts);
  bad = summed_over_block(bad, bad_counts);
  Totals totals{count, bad, 1.0f, 1.0f, all_weights, 1.0f};
  if constexpr (kReduction == Reduction::mean) {
    if (count > 0) totals.loss_divisor = totals.z_divisor = static_cast<float>(count);
    if constexpr (kHasClassWeights) {
      const float sum = reduced_over_block<Sum, kRowsThreads>(weight.total(), weights);
      if (count > 0) totals.loss_divisor = sum;
    }
  }
  if constexpr (kHasSlabUnit)
    totals.upstream_unit = unit_of_slab(args, totals, largest_over_block(magnitudes));
  if (threadIdx.x == 0) {
    *static_cast<Totals*>(args.totals) = totals;
    if (bad > 0 && args.bad_targets != nullptr) *args.bad_targets = 1;
  }
  return count;
}

/// A token that does not count.
__device__ inline void store_nothing(const Arguments& args, Index token, bool is_bad) {
  if constexpr (kStoreLosses) args.losses[token] = is_bad ? __uint_as_float(0x7FC00000u) : 0.0f;
  if constexpr (kStoreZLoss && kReduction == Reduction::none) args.z_loss[token] = 0.0f;
  if constexpr (kStoreLse) args.lse[token] = 0.0f;
  if constexpr (kStoreTargetLogits) args.target_logits[token] = 0.0f;
  if constexpr (kMode == Mode::forward_only && kVocabParallel) {
#pragma unroll
    for (int field = 0; field <= kPartFields; ++field) args.partials[field * args.tokens + token] = 0.0f;
  } else {
    if constexpr (kStoreEntropy) args.entropy[token] = 0.0f;
    if constexpr (kStoreArgmax) args.argmax[token] = -1;
  }
}

/// Tokens in the order of rows: those that count before the others, either in their order.
__device__ inline void order_tokens(const Arguments& args, int count) {
  __shared__ int counts[2][kRowsWarps];
  const int warp = threadIdx.x / 32;
  Index before = 0;  // tokens that count, before this round's
#pragma unroll 1
  for (Index first = 0; first < args.tokens; first += kRowsThreads) {
    const Index token = first + threadIdx.x;
    TargetKind kind = TargetKind::ignored;
    if (token < args.tokens) kind = kind_of_target(args, target_of(args, static_cast<int>(token)));
    const bool does_count = kind == TargetKind::counts;
    const unsigned votes = __ballot_sync(0xFFFFFFFFu, does_count);
    int(&own)[kRowsWarps] = counts[first / kRowsThreads % 2];  // others may still read the last round's
    if (threadIdx.x % 32 == 0) own[warp] = __popc(votes);
    __syncthreads();
    Index rank = before + __popc(votes & ((1u << threadIdx.x % 32) - 1));
#pragma unroll 4
    for (int i = 0; i < kRowsWarps; ++i) {
      if (i < warp) rank += own[i];
      before += own[i];
    }
    if (token >= args.tokens) continue;
    args.row_tokens[does_count ? rank : count + token - rank] = static_cast<int>(token);
    if (!does_count) store_nothing(args, token, kind == TargetKind::bad);
  }
}

/// A single block of kRowsThreads.
__device__ inline void divide_tokens(const Arguments& args) {
  order_tokens(args, count_tokens(args));
}
