// What the blocks of linear_cross_entropy's entry points share. Included after the parameter block.
#pragma once

#include "common/linear_cross_entropy.h"
#include "cuda/element.cuh"
#include "cuda/ptx/exp2.cuh"

using lathe::Index;
using Arguments = lathe::LinearCrossEntropyArgs;

__device__ inline const Totals& totals_of(const Arguments& args) {
  return *static_cast<const Totals*>(args.totals);
}

/// Tokens of this round's chunk, and how many of them count: those come first.
__device__ inline int chunk_tokens(const Arguments& args) {
  const Index left = args.tokens - args.first_row;
  return static_cast<int>(left < args.chunk_rows ? left : args.chunk_rows);
}
__device__ inline int chunk_rows(const Arguments& args) {
  const Index left = totals_of(args).rows - args.first_row;
  return static_cast<int>(left < 0 ? 0 : left < args.chunk_rows ? left : args.chunk_rows);
}

__device__ inline int chunk_classes(const Arguments& args) {
  const Index left = kVocabSize - args.first_class;
  return static_cast<int>(left < args.chunk_classes ? left : args.chunk_classes);
}

__device__ inline bool is_first_chunk_of_rows(const Arguments& args) {
  return args.first_row == 0;
}
__device__ inline bool is_last_chunk_of_rows(const Arguments& args) {
  return args.first_row + args.chunk_rows >= args.tokens;
}
__device__ inline bool is_last_chunk_of_classes(const Arguments& args) {
  return args.first_class + args.chunk_classes >= kVocabSize;
}

/// The number of a token's class, of all shards'.
__device__ inline long long target_of(const Arguments& args, int token) {
  return static_cast<const Target*>(args.targets)[token];
}

/// That of a row as a column of the chunk; -1 if it is none of its classes.
__device__ inline int target_column(const Arguments& args, Index row) {
  const long long column =
      target_of(args, args.row_tokens[row]) - args.first_class - (kVocabParallel ? args.vocab_first : 0);
  return column < 0 || column >= chunk_classes(args) ? -1 : static_cast<int>(column);
}

/// As a float: of all shards.
__device__ inline float all_classes(const Arguments& args) {
  return static_cast<float>(kVocabParallel ? args.vocab_total : Index{kVocabSize});
}

/// Of a class of this shard.
__device__ inline float class_weight(const Arguments& args, Index column) {
  if constexpr (!kHasClassWeights) return 1.0f;
  return args.class_weights[column + (kVocabParallel ? args.vocab_first : 0)];
}

__device__ inline float& row_value(const Arguments& args, RowPlane plane, Index row) {
  return args.row_values[plane * args.row_stride + row];
}

/// exp(x) where the relative error of a few units in the last place of x is good enough.
__device__ inline float exp_of(float x) {
  return fast_exp2(x * kLog2OfE);
}

/// A part's fields, one after the other: f(number, value).
template <class F>
__device__ inline void for_each_field(Part& part, F f) {
  f(kPartMax, part.max);
  f(kPartSum, part.sum);
  if constexpr (kHasLabelSmoothing) f(kPartWeighted, part.weighted);
  if constexpr (kStoreEntropy) f(kPartEntropy, part.entropy);
  if constexpr (kHasArgmax) f(kPartArgmax, part.argmax);
}
