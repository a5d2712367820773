// attention_merge for the CPU: row by row, a vector of the result at a time.

#include <lathe/args.h>

#include "common/merge_form.h"
#include "cpu/element.h"

// lathe:parameters
using Part = Bf16;
using Result = Bf16;
using PartIndex = int;
constexpr int kHeads = 32;
constexpr int kValueDim = 128;
constexpr MergeForm kForm = MergeForm::two;
constexpr bool kHasMask = false;
constexpr bool kStoreLse = true;
constexpr int kRowsPerBlock = 128;
// lathe:end

using lathe::Index;

namespace {

constexpr float kNothing = -__builtin_huge_valf();
constexpr int kTail = kValueDim % kLanes;

/// The parts of one token and head.
struct Parts {
  Index count;
  const Part::Storage* o;
  const float* lse;
  Index o_step;
  Index lse_step;
};

inline Parts parts_of(const lathe::AttentionMergeArgs& args, Index token, Index head) {
  const auto* o = static_cast<const Part::Storage*>(args.o_parts);
  constexpr Index kRow = Index{kHeads} * kValueDim;
  if constexpr (kForm == MergeForm::two) {
    const Index at = token * kHeads + head;
    const auto* other = static_cast<const Part::Storage*>(args.o_other);
    const bool counts = !kHasMask || args.mask[token] != 0;
    return {counts ? 2 : 1, o + at * kValueDim, args.lse_parts + at, other - o,
            args.lse_other - args.lse_parts};
  }
  Index first = token * args.parts;
  Index count = args.parts;
  if constexpr (kForm == MergeForm::ragged) {
    const auto* indptr = static_cast<const PartIndex*>(args.indptr);
    first = indptr[token];
    count = indptr[token + 1] - first;
  }
  return {count, o + first * kRow + head * kValueDim, args.lse_parts + first * kHeads + head, kRow, kHeads};
}

/// The weighted sum of the parts' elements from `at` on: a vector, or the tail.
template <bool kIsTail>
inline Floats merged(const Parts& parts, int at, float subtrahend, float factor) {
  Floats values = 0.0f;
  for (Index i = 0; i < parts.count; ++i) {
    // Parts that saw nothing may hold anything.
    const float lse = parts.lse[i * parts.lse_step];
    if (lse == kNothing) continue;
    const float weight = __builtin_exp2f(lse - subtrahend) * factor;
    const auto* from = parts.o + i * parts.o_step + at;
    values += weight * in_order_of<Result, Part>(kIsTail ? Part::load_tail(from, kTail) : Part::load(from));
  }
  return plain_for<Result, F32>(values);  // log-sum-exps may be NaNs of any bits
}

inline void merge_row(const lathe::AttentionMergeArgs& args, Index row) {
  const Parts parts = parts_of(args, row / kHeads, row % kHeads);
  float largest = kNothing;
  for (Index i = 0; i < parts.count; ++i) {
    const float lse = parts.lse[i * parts.lse_step];
    largest = lse > largest ? lse : largest;
  }
  const float subtrahend = largest == kNothing ? 0.0f : largest;
  float sum = 0.0f;
  for (Index i = 0; i < parts.count; ++i) sum += __builtin_exp2f(parts.lse[i * parts.lse_step] - subtrahend);
  const float factor = sum == 0.0f ? 0.0f : 1.0f / sum;  // a NaN stays one
  auto* o = static_cast<Result::Storage*>(args.o) + row * kValueDim;
  constexpr int kWhole = kValueDim - kTail;
  for (int at = 0; at < kWhole; at += kLanes)
    Result::store(o + at, merged<false>(parts, at, subtrahend, factor));
  if constexpr (kTail != 0)
    Result::store_tail(o + kWhole, merged<true>(parts, kWhole, subtrahend, factor), kTail);
  if constexpr (kStoreLse) args.lse[row] = sum == 0.0f ? kNothing : largest + __builtin_log2f(sum);
}

}  // namespace

extern "C" void lathe_attention_merge(const lathe::AttentionMergeArgs* args, Index first_block,
                                      Index last_block) {
  const Index rows = args->tokens * kHeads;
  const Index end = last_block * kRowsPerBlock < rows ? last_block * kRowsPerBlock : rows;
  for (Index row = first_block * kRowsPerBlock; row < end; ++row) merge_row(*args, row);
}
