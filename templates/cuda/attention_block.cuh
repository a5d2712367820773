// What an attention block is to do, and the constants that follow from the template's parameters.
#pragma once

#include "common/attention_place.h"

using lathe::Index;

constexpr int kWarps = kRowWarps * kKeyWarps * kColumnWarps;
constexpr int kThreads = 32 * kWarps;
constexpr int kWarpRows = 16 * kRowFragments;
constexpr int kRows = kWarpRows * kRowWarps;
constexpr int kKeyDim = kHeadDim - kRestDim;
constexpr int kQueryHeads = kKvHeads * kGroup;
/// Keys of a tile whose logits one warp makes, and columns of o that it sums up, in steps of 8.
constexpr int kWarpKeys = kKeyTile / (kKeyWarps * kColumnWarps);
constexpr int kKeyFragments = kWarpKeys / 8;
/// Rows in shared memory, in chunks of 8 elements, padded with zeros to the 16 that a product takes.
constexpr int kHeadChunks = (kHeadDim + 15) / 16 * 2;
constexpr int kValueChunks = (kValueDim + 15) / 16 * 2;
constexpr int kValueFragments = kValueChunks / kColumnWarps;
constexpr float kInfinity = __builtin_bit_cast(float, 0x7F800000);
constexpr float kLog2E = 1.44269504f;

static_assert(kKeyWarps == 1 || kColumnWarps == 1, "warps share out keys or columns, not both");
static_assert(kColumnWarps > 1 || kWarpKeys % 16 == 0, "weights are multiplied 16 keys at a time");
static_assert(kKeyTile % 16 == 0 && kWarpKeys % 8 == 0 && kValueFragments % 2 == 0, "whole fragments");

struct Block {
  lathe::AttentionRequest request;
  lathe::AttentionWork work;
  int kv_head;
};

__device__ inline Block block_of(const lathe::AttentionArgs& args) {
  Block block;
  block.work = args.work[blockIdx.x / kKvHeads];
  block.kv_head = blockIdx.x % kKvHeads;
  if (block.work.request >= 0) block.request = args.requests[block.work.request];
  return block;
}

/// A packed row: a query token of the request and a head of the group.
struct RowPlace {
  int query;
  int head;  ///< of all query heads

  __device__ RowPlace(int packed_row, int kv_head)
      : query(packed_row / kGroup), head(kv_head * kGroup + packed_row % kGroup) {}
  __device__ bool exists(const lathe::AttentionRequest& request) const {
    return query < request.query_length;
  }
  __device__ Index token(const lathe::AttentionRequest& request) const { return request.query_begin + query; }
};

/// A warp's share.
struct WarpPlace {
  int lane = threadIdx.x % 32;
  int row = threadIdx.x / 32 % kRowWarps * kWarpRows;  ///< its first, in the tile
  int part = threadIdx.x / 32 / kRowWarps;             ///< of the keys, or of the columns

  /// Of a fragment's four accumulators the first two stand in this row, the others 8 further.
  __device__ int fragment_row(int fragment) const { return row + fragment * 16 + lane / 4; }
  /// And in this column and the next of its 8.
  __device__ int fragment_column() const { return lane % 4 * 2; }
};

/// Where a hook is called.
__device__ inline AttentionPlace place_of(const Block& block, const RowPlace& row, int key) {
  return {block.work.request,     row.query, key, row.head, block.kv_head, block.request.query_length,
          block.request.kv_length};
}

__device__ inline float k_scale_of(const lathe::AttentionArgs& args, int kv_head) {
  return kKvScale == AttentionScale::none ? 1.0f
                                          : args.k_scale[kKvScale == AttentionScale::head ? kv_head : 0];
}

__device__ inline float v_scale_of(const lathe::AttentionArgs& args, int kv_head) {
  return kKvScale == AttentionScale::none ? 1.0f
                                          : args.v_scale[kKvScale == AttentionScale::head ? kv_head : 0];
}
