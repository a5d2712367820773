// Where the rows of a tile's tokens lie, found once per block. Included after the parameter block of a
// template, whose names it uses.
#pragma once

#include "common/kv_slots.h"
#include "common/kv_tile.h"
#include "common/kv_view.h"

using lathe::Index;
using lathe::KvMoveArgs;

constexpr int kThreads = 256;
constexpr int kSrcCount = sizeof kSrcViews / sizeof(ViewFacts);
constexpr int kDstCount = sizeof kDstViews / sizeof(ViewFacts);

/// The rows of a tile's tokens, heads and content still to be added; null: the token is not moved.
struct Rows {
  const char* src[kSrcCount][kTileTokens];
  char* dst[kDstCount][kTileTokens];
};

__device__ inline void report(const KvMoveArgs& args, int what) {
  if (what != 0) atomicOr(args.status, what);
}

// One instance per view and per segment: what is known of them is then constant.

template <int kView = 0>
__device__ inline void find_src_rows(const KvMoveArgs& args, const Tile& tile, Rows& rows, int token,
                                     Index slot) {
  if constexpr (kView < kSrcCount) {
    constexpr ViewFacts facts = kSrcViews[kView];
    constexpr ViewFacts first = kSrcViews[0];
    const LaunchView<const void*> view{facts, first, args.src[kView], args.src[0], args.src_pointers};
    const SlotPlace at{args.src_first_layer + tile.layer, args.src_first_plane + tile.plane, slot};
    rows.src[kView][token] = slot < 0 ? nullptr : slot_address(view, at);
    find_src_rows<kView + 1>(args, tile, rows, token, slot);
  }
}

template <int kView = 0>
__device__ inline void find_dst_rows(const KvMoveArgs& args, const Tile& tile, Rows& rows, int token,
                                     Index slot) {
  if constexpr (kView < kDstCount) {
    constexpr ViewFacts facts = kDstViews[kView];
    constexpr ViewFacts first = kDstViews[0];
    const LaunchView<void*> view{facts, first, args.dst[kView], args.dst[0], args.dst_pointers};
    const SlotPlace at{args.dst_first_layer + tile.layer, args.dst_first_plane + tile.plane, slot};
    rows.dst[kView][token] = slot < 0 ? nullptr : const_cast<char*>(slot_address(view, at));
    find_dst_rows<kView + 1>(args, tile, rows, token, slot);
  }
}

__device__ inline void find_rows(const KvMoveArgs& args, const Tile& tile, Rows& rows) {
  for (int i = threadIdx.x; i < tile.tokens; i += kThreads) {
    const Index token = tile.first_token + i;
    const Slots slots = slots_of(args, token);
    report(args, status_of(slots));
    bool moves = slots.are_valid();
    if constexpr (kDuplicates != KvDuplicates::unchecked) {
      const bool has_slot = moves && static_cast<const int*>(args.workspace)[slots.dst] == token;
      // Another token has it.
      if (kDuplicates == KvDuplicates::report && moves && !has_slot) report(args, lathe::kKvDuplicateSlot);
      moves = has_slot;
    }
    find_src_rows(args, tile, rows, i, moves ? slots.src : -1);
    find_dst_rows(args, tile, rows, i, moves ? slots.dst : -1);
  }
}

/// Which of the tile's items, `per_token` each, are this block's.
__device__ inline Range items_of(const Tile& tile, int per_token) {
  if constexpr (kParts == 1) return {0, static_cast<int>(tile.tokens) * per_token};
  return part_of_row(tile.part, per_token);
}

/// Where the item of a segment is: a head of a token.
struct Place {
  const char* src;  ///< null: it is not moved
  char* dst;
  Index head;
};

template <int kSegment>
__device__ inline Place place_of(const KvMoveArgs& args, const Rows& rows, int token, int head) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ViewFacts from = kSrcViews[segment.src_view];
  constexpr ViewFacts to = kDstViews[segment.dst_view];
  Place place{rows.src[segment.src_view][token], rows.dst[segment.dst_view][token], head};
  if (place.src == nullptr) return place;
  place.src += (args.src_first_head + head) * step_of(from.head_step, args.src[segment.src_view].head_step);
  place.dst += (args.dst_first_head + head) * step_of(to.head_step, args.dst[segment.dst_view].head_step);
  return place;
}
