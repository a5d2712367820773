// kv_gather and kv_scatter: rows of a key-value cache from one layout to another.
//
// Work is cut into tiles: some tokens of one layer and plane, or a part of a token whose row is long. A
// block first finds its tokens' slots and from them the addresses of their rows, one token per thread; then
// its threads walk over all words of the tile, so that neighbours read neighbouring words whatever the row's
// length. Where two tokens may have the same destination, two kernels before this one settle which is moved.

#include <lathe/args.h>

#include "common/kv_facts.h"
#include "common/rotation.h"
#include "cuda/kv_copy.cuh"

// lathe:parameters
constexpr ViewFacts kSrcViews[] = {{.block_size = 16, .block_step = 4096, .slot_step = 256}};
constexpr ViewFacts kDstViews[] = {{.block_size = 1, .block_step = 256}};
constexpr IndexFacts kSrcIndex = {KvIndexKind::slots, true, 1, 0};
constexpr IndexFacts kDstIndex = {KvIndexKind::identity, false, 1, 1};
constexpr SegmentFacts kSegments[] = {{.plane = -1, .count = 256, .width = 16}};
constexpr RotationFacts kRotation = {0, true, true, 1.0f};
constexpr Angle kTurns[] = {0};  // that one position makes, per pair
constexpr int kPlanes = 1;       // that are moved
constexpr int kHeads = 8;        // likewise; those that lie together on both sides are one
constexpr int kTileTokens = 16;
constexpr int kParts = 1;  // of a token's row
constexpr KvBadIndex kNegative = KvBadIndex::skip;
constexpr KvBadIndex kBounds = KvBadIndex::skip;
constexpr KvDuplicates kDuplicates = KvDuplicates::unchecked;
// lathe:end

#include "cuda/kv_convert_segment.cuh"
#include "cuda/kv_rows.cuh"

constexpr int kSegmentCount = sizeof kSegments / sizeof(SegmentFacts);

template <int kSegment>
__device__ inline void copy_segment(const KvMoveArgs& args, const Rows& rows, const Tile& tile) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ViewFacts from = kSrcViews[segment.src_view];
  constexpr ViewFacts to = kDstViews[segment.dst_view];
  constexpr int kWords = static_cast<int>(segment.count / segment.width);
  const Index src_piece_step = step_of(from.piece_step, args.src[segment.src_view].piece_step);
  const Index dst_piece_step = step_of(to.piece_step, args.dst[segment.dst_view].piece_step);
  const Range range = items_of(tile, kHeads * kWords);
  copy_words<segment.width, kThreads, from.place, to.place>(range.begin, range.end, [&](int item) {
    const int row = item / kWords;
    const Index byte = static_cast<Index>(item - row * kWords) * segment.width;
    const Place place = place_of<kSegment>(args, rows, row / kHeads, row % kHeads);
    return WordMove{place.src == nullptr
                        ? nullptr
                        : place.src + content_offset(from, src_piece_step, segment.src_offset + byte),
                    place.dst + content_offset(to, dst_piece_step, segment.dst_offset + byte)};
  });
}

template <int kSegment = 0>
__device__ inline void move_segments(const KvMoveArgs& args, const Rows& rows, const Tile& tile) {
  if constexpr (kSegment < kSegmentCount) {
    constexpr SegmentFacts segment = kSegments[kSegment];
    if (segment.plane < 0 || segment.plane == tile.plane) {
      if constexpr (segment.src_type == KvType::bytes) {
        copy_segment<kSegment>(args, rows, tile);
      } else {
        convert_segment<kSegment>(args, rows, tile);
      }
    }
    move_segments<kSegment + 1>(args, rows, tile);
  }
}

/// Calls `visit(owner, token)` for this thread's tokens that have slots.
template <class Visit>
__device__ inline void for_each_claim(const KvMoveArgs& args, Visit visit) {
  const Index threads = static_cast<Index>(gridDim.x) * kThreads;
  for (Index token = args.first_token + static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
       token < args.tokens; token += threads) {
    const Slots slots = slots_of(args, token);
    if (slots.are_valid()) visit(static_cast<int*>(args.workspace) + slots.dst, static_cast<int>(token));
  }
}

/// No token has claimed a destination yet.
extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_kv_unclaim(const __grid_constant__ KvMoveArgs args) {
  for_each_claim(args, [](int* owner, int) { *static_cast<volatile int*>(owner) = -1; });
}

/// The last token that names a destination has it.
extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_kv_claim(const __grid_constant__ KvMoveArgs args) {
  for_each_claim(args, [](int* owner, int token) { atomicMax(owner, token); });
}

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_kv_move(const __grid_constant__ KvMoveArgs args) {
  __shared__ Rows rows;
  const Index tiles = count_tiles(args);
  for (Index number = blockIdx.x; number < tiles; number += gridDim.x) {
    const Tile tile = tile_at(args, number);
    find_rows(args, tile, rows);
    __syncthreads();
    move_segments(args, rows, tile);
    __syncthreads();
  }
}
