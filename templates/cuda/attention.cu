// attention, forward, for NVIDIA GPUs of sm_80 and up. A block does some rows of a request against some of
// its keys, for one key-value head: query tokens and the query heads that share the key-value head are the
// rows of a matrix product.
//
// Tiles of keys and values come through a ring in shared memory by asynchronous copies, weights stay in
// registers. Three ways to share out a tile among a block's warps:
//  - by rows (prefill): each warp has rows of its own;
//  - by keys (decode): all warps have the same few rows and keys of their own, and are merged in the end;
//  - by columns (values of 512 elements, which no warp's registers hold): the warps of the same rows have
//    keys of their own, exchange weights through shared memory, and sum up columns of their own.
// Where a request's keys are split over blocks, a second kernel merges what those have left in the workspace.

#include <lathe/args.h>

#include "common/attention_options.h"
#include "common/rotation.h"
#include "cuda/element.cuh"
#include "cuda/swizzled_tile.cuh"

// lathe:parameters
using Element = Bf16;   // of q and o
using Stored = Bf16;    // of k and v
using PageIndex = int;  // of page_indices
constexpr int kKvHeads = 8;
constexpr int kGroup = 4;      // query heads per key-value head
constexpr int kHeadDim = 128;  // of q and k
constexpr int kRestDim = 0;    // of those, in tensors of their own
constexpr int kValueDim = 128;
constexpr bool kValuesAreKeys = false;
constexpr KvStorage kStorage = KvStorage::paged;
constexpr int kPageSize = 16;
constexpr AttentionScale kKvScale = AttentionScale::none;
constexpr Mask kMask = Mask::causal;
constexpr bool kHasWindow = false;
constexpr bool kHasSoftCap = false;
constexpr bool kHasAlibi = false;
constexpr bool kHasSinks = false;
constexpr bool kStoreLse = true;
constexpr bool kHasRope = false;
constexpr float kRopeFactor = 1.0f;  // of sines and cosines
constexpr Angle kTurns[] = {0};      // per position, of each pair
constexpr bool kHasLogitsHook = false;
constexpr bool kHasMaskHook = false;
constexpr bool kHasQueryHook = false;
constexpr bool kHasKeyHook = false;
constexpr bool kHasOutputHook = false;
constexpr int kQueryCopyBytes = 16;  // of q and o, per access
constexpr int kKeyCopyBytes = 16;    // of k and v
constexpr int kRowFragments = 1;     // 16 rows each, per warp
constexpr int kRowWarps = 4;
constexpr int kKeyWarps = 1;
constexpr int kColumnWarps = 1;
constexpr int kKeyTile = 64;
constexpr int kStages = 2;           // tiles in the ring
constexpr int kSharedBytes = 85504;  // of a block
// lathe:end

#include "cuda/attention_block.cuh"
#include "cuda/attention_pipeline.cuh"
#include "cuda/attention_splits.cuh"

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_attention(const __grid_constant__ lathe::AttentionArgs args) {
  extern __shared__ uint4 shared[];
  const Block block = block_of(args);
  if (block.work.request < 0) return;
  Attention attention(args, block, reinterpret_cast<char*>(shared));
  attention.start();
  const int tiles = attention.tiles();
#pragma unroll 1
  for (int tile = 0; tile < tiles; ++tile) attention.attend(tile);
  attention.finish();
}

extern "C" __global__ void __launch_bounds__(kMergeThreads)
    lathe_attention_merge(const __grid_constant__ lathe::AttentionArgs args) {
  merge_partial_results(args);
}
