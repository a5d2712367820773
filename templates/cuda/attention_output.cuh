// The end of a block: the warps' sums are added up, normalised, and become the result, or one of several
// partial ones.
#pragma once

#include "cuda/attention_softmax.cuh"
#include "cuda/pack.cuh"
#include "user/attention_hooks.h"

/// 8 elements of o. REQUIRES: `at` aligned to kQueryCopyBytes.
__device__ inline void store_output(Element::Storage* at, const float (&values)[8]) {
  constexpr int kPack = kQueryCopyBytes / 2;
#pragma unroll
  for (int i = 0; i < 8; i += kPack) {
    float pack[kPack];
#pragma unroll
    for (int k = 0; k < kPack; ++k) pack[k] = values[i + k];
    store_pack<Element>(at + i, pack);
  }
}

/// The last step of a row's result: 8 columns, through the hook, to memory.
__device__ inline void finish_output(const lathe::AttentionArgs& args, const AttentionPlace& at, Index token,
                                     int column, float (&values)[8]) {
  if constexpr (kHasOutputHook) {
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] = output_hook(values[i], column + i, at, args.hook_data);
  }
  const Index to = token * args.o_token_stride + at.query_head * args.o_head_stride + column;
  store_output(static_cast<Element::Storage*>(args.o) + to, values);
}

/// Sums of weights, relative to a power of two.
struct RowTotal {
  float top = -kInfinity;
  float sum = 0.0f;

  /// What sums of values are multiplied by when a weight joins: those before, and its own.
  struct Factors {
    float before;
    float added;
  };
  /// One more weight, of a logarithm to base 2.
  __device__ Factors add(float logarithm) {
    const float new_top = fmaxf(top, logarithm);
    const float base = finite_or_zero(new_top);
    const Factors factors{fast_exp2(top - base), fast_exp2(logarithm - base)};
    sum = sum * factors.before + factors.added;
    top = new_top;
    return factors;
  }
  /// 0 of none.
  __device__ float reciprocal() const { return sum == 0.0f ? 0.0f : fast_reciprocal(sum); }
  __device__ float lse() const { return sum == 0.0f ? -kInfinity : top + fast_log2(sum); }
};

/// What a row's logarithm of weights is written to.
__device__ inline Index lse_index(const lathe::AttentionRequest& request, const RowPlace& row) {
  return row.token(request) * kQueryHeads + row.head;
}

/// A partial result: kRows rows of kValueDim sums, normalised, and behind them kRows logarithms.
__device__ inline float* partial_result(const lathe::AttentionArgs& args, int slot, int kv_head) {
  return static_cast<float*>(args.workspace) +
         (static_cast<Index>(slot) * kKvHeads + kv_head) * (kRows * (kValueDim + 1));
}

/// Each warp's accumulators and, per row, its largest logit and sum of weights.
__device__ inline void leave_sums(const OnlineSoftmax& softmax, const WarpPlace& warp, char* shared) {
  float* statistics = reinterpret_cast<float*>(shared + kStatisticsOffset);
  const int first_column = kColumnWarps > 1 ? warp.part * kValueFragments * 8 : 0;
#pragma unroll
  for (int i = 0; i < kRowFragments; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = warp.fragment_row(i) + half * 8;
      const float sum = softmax.sum(i, half);
      if (warp.lane % 4 == 0) {
        statistics[(warp.part * kRows + row) * 2] = softmax.top(i, half);
        statistics[(warp.part * kRows + row) * 2 + 1] = sum;
      }
      const int first = ((kKeyWarps > 1 ? warp.part : 0) * kRows + row) * kSumRowFloats + first_column +
                        warp.fragment_column();
      float* sums = reinterpret_cast<float*>(shared) + first;
#pragma unroll
      for (int j = 0; j < kValueFragments; ++j) {
        const float* pair = softmax.sums.values[i][j] + half * 2;
        *reinterpret_cast<float2*>(sums + j * 8) = make_float2(pair[0], pair[1]);
      }
    }
  }
}

/// Of each row: its logarithm is written, and its parts' statistics become what their sums are multiplied by.
__device__ inline void weigh_parts(const lathe::AttentionArgs& args, const Block& block, char* shared) {
  float* statistics = reinterpret_cast<float*>(shared + kStatisticsOffset);
  const bool is_final = block.work.slot < 0;
#pragma unroll 1
  for (int row = threadIdx.x; row < kRows; row += kThreads) {
    const RowPlace place(block.work.row_begin + row, block.kv_head);
    if (!place.exists(block.request)) continue;
    RowTotal total;
#pragma unroll
    for (int part = 0; part < kParts; ++part)
      total.top = fmaxf(total.top, statistics[(part * kRows + row) * 2]);
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const float* of = statistics + (part * kRows + row) * 2;
      total.sum += of[1] * fast_exp2(of[0] - finite_or_zero(total.top));
    }
    if constexpr (kHasSinks) {
      if (is_final) total.add(args.sinks[place.head] * kLog2E);
    }
    const float factor = v_scale_of(args, block.kv_head) * total.reciprocal();
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      float* of = statistics + (part * kRows + row) * 2;
      of[0] = fast_exp2(of[0] - finite_or_zero(total.top)) * factor;
    }
    if (!is_final) {
      partial_result(args, block.work.slot, block.kv_head)[kRows * kValueDim + row] = total.lse();
    } else if constexpr (kStoreLse) {
      args.lse[lse_index(block.request, place)] = total.lse();
    }
  }
}

/// REQUIRES: all copies have come, and all warps are done with the tiles.
__device__ inline void write_results(const lathe::AttentionArgs& args, const Block& block,
                                     const OnlineSoftmax& softmax, const WarpPlace& warp, char* shared) {
  leave_sums(softmax, warp, shared);
  __syncthreads();
  weigh_parts(args, block, shared);
  __syncthreads();
  const float* statistics = reinterpret_cast<const float*>(shared + kStatisticsOffset);
  constexpr int kChunks = kValueDim / 8;
#pragma unroll 1
  for (int i = threadIdx.x; i < kRows * kChunks; i += kThreads) {
    const int row = i / kChunks;
    const int column = i % kChunks * 8;
    const RowPlace place(block.work.row_begin + row, block.kv_head);
    if (!place.exists(block.request)) break;  // nor do those behind it
    float values[8] = {};
#pragma unroll
    for (int part = 0; part < kKeyWarps; ++part) {
      const float weight = statistics[(part * kRows + row) * 2];
      float sums[8];
      load_pack<F32>(reinterpret_cast<const float*>(shared) + (part * kRows + row) * kSumRowFloats + column,
                     sums);
#pragma unroll
      for (int k = 0; k < 8; ++k) values[k] += weight * sums[k];
    }
    if (block.work.slot >= 0) {
      store_pack<F32>(partial_result(args, block.work.slot, block.kv_head) + row * kValueDim + column,
                      values);
    } else {
      finish_output(args, place_of(block, place, -1), place.token(block.request), column, values);
    }
  }
}
