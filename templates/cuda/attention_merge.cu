// attention_merge for NVIDIA GPUs of sm_80 and up. Some lanes of a warp per row: all read its log-sum-exps,
// each merges packs of its own.

#include <lathe/args.h>

#include "common/merge_form.h"
#include "cuda/pack.cuh"

// lathe:parameters
using Part = Bf16;
using Result = Bf16;
using PartIndex = int;
constexpr int kHeads = 32;
constexpr int kValueDim = 128;
constexpr MergeForm kForm = MergeForm::two;
constexpr bool kHasMask = false;
constexpr bool kStoreLse = true;
constexpr int kPack = 8;    // elements per access
constexpr int kLanes = 16;  // per row
constexpr int kThreads = 128;
// lathe:end

using lathe::Index;

/// The logarithm of no weight at all.
__device__ inline float nothing() {
  return __uint_as_float(0xFF800000u);
}

/// The parts of one token and head.
struct Parts {
  Index count;
  const Part::Storage* o;
  const float* lse;
  Index o_step;
  Index lse_step;
};

__device__ inline Parts parts_of(const lathe::AttentionMergeArgs& args, Index token, int head) {
  const auto* o = static_cast<const Part::Storage*>(args.o_parts);
  const Index row = Index{kHeads} * kValueDim;
  if constexpr (kForm == MergeForm::two) {
    const Index at = token * kHeads + head;
    // The second part's address as a step from the first's.
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
  return {count, o + first * row + Index{head} * kValueDim, args.lse_parts + first * kHeads + head, row,
          kHeads};
}

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_attention_merge(const __grid_constant__ lathe::AttentionMergeArgs args) {
  constexpr int kRowsPerBlock = kThreads / kLanes;
  const Index row = static_cast<Index>(blockIdx.x) * kRowsPerBlock + threadIdx.x / kLanes;
  const int lane = static_cast<int>(threadIdx.x % kLanes);
  const bool has_row = row < args.tokens * kHeads;
  // Threads without a row read none: in place, another block may write it meanwhile.
  const Parts parts = has_row ? parts_of(args, row / kHeads, static_cast<int>(row % kHeads))
                              : Parts{0, nullptr, nullptr, 0, 0};

  float largest = nothing();
  float sum = 0.0f;
  for (Index i = 0; i < parts.count; ++i) largest = fmaxf(largest, parts.lse[i * parts.lse_step]);
  const float subtrahend = largest == nothing() ? 0.0f : largest;
  for (Index i = 0; i < parts.count; ++i) sum += exp2f(parts.lse[i * parts.lse_step] - subtrahend);
  const float factor = sum == 0.0f ? 0.0f : 1.0f / sum;  // a NaN stays one

  if (has_row) {
    auto* o = static_cast<Result::Storage*>(args.o) + row * kValueDim;
    for (int at = lane * kPack; at < kValueDim; at += kLanes * kPack) {
      float values[kPack] = {};
      for (Index i = 0; i < parts.count; ++i) {
        // Parts that saw nothing may hold anything.
        const float lse = parts.lse[i * parts.lse_step];
        if (lse == nothing()) continue;
        const float weight = exp2f(lse - subtrahend) * factor;
        float part[kPack];
        load_pack<Part>(parts.o + i * parts.o_step + at, part);
#pragma unroll
        for (int j = 0; j < kPack; ++j) values[j] += weight * part[j];
      }
      store_pack<Result>(o + at, values);
    }
  }
  if constexpr (kStoreLse) {
    // In place: not before every lane has read what is overwritten.
    __syncwarp();
    if (has_row && lane == 0) args.lse[row] = sum == 0.0f ? nothing() : largest + log2f(sum);
  }
}
