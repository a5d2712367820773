// Merges what several blocks have left of the same rows, in the order of their keys, so that results repeat
// bit by bit.
#pragma once

#include "cuda/attention_output.cuh"

constexpr int kMergeThreads = 256;

__device__ inline void merge_partial_results(const lathe::AttentionArgs& args) {
  const lathe::AttentionMerge merge = args.merges[blockIdx.x / kKvHeads];
  if (merge.request < 0) return;
  Block block{};
  block.work.request = merge.request;
  block.request = args.requests[merge.request];
  block.kv_head = blockIdx.x % kKvHeads;
  constexpr int kChunks = kValueDim / 8;
  const Index step = static_cast<Index>(kKvHeads) * (kRows * (kValueDim + 1));
  const float* first = partial_result(args, merge.first_slot, block.kv_head);
#pragma unroll 1
  for (int i = threadIdx.x; i < kRows * kChunks; i += kMergeThreads) {
    const int row = i / kChunks;
    const int column = i % kChunks * 8;
    const RowPlace place(merge.row_begin + row, block.kv_head);
    if (!place.exists(block.request)) break;  // nor do those behind it
    const float* lse = first + kRows * kValueDim + row;
    RowTotal total;
    float values[8] = {};
#pragma unroll 2
    for (int slot = 0; slot < merge.slots; ++slot) {
      float part[8];
      load_pack<F32>(first + slot * step + row * kValueDim + column, part);
      const RowTotal::Factors factors = total.add(lse[slot * step]);
#pragma unroll
      for (int k = 0; k < 8; ++k) values[k] = values[k] * factors.before + part[k] * factors.added;
    }
    float rescale = 1.0f;
    if constexpr (kHasSinks) rescale = total.add(args.sinks[place.head] * kLog2E).before;
    const float factor = rescale * total.reciprocal();
#pragma unroll
    for (int k = 0; k < 8; ++k) values[k] *= factor;
    finish_output(args, place_of(block, place, -1), place.token(block.request), column, values);
    if (kStoreLse && column == 0) args.lse[lse_index(block.request, place)] = total.lse();
  }
}
