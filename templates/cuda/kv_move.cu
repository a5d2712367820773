// kv_gather and kv_scatter: rows of a key-value cache from one layout to another.
//
// Work is cut into tiles: some tokens of one layer and plane, or a part of a token whose row is long. A
// block first finds its tokens' slots and from them the addresses of their rows, one token per thread; then
// its threads walk over all words of the tile, so that neighbours read neighbouring words whatever the row's
// length. Where two tokens may have the same destination, two kernels before this one settle which is moved.

#include <lathe/args.h>

#include "common/kv_index.h"
#include "common/kv_scale.h"
#include "common/kv_view.h"
#include "cuda/kv_convert.cuh"
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

using lathe::Index;
using lathe::KvMoveArgs;

constexpr int kThreads = 256;
constexpr int kSrcCount = sizeof kSrcViews / sizeof(ViewFacts);
constexpr int kDstCount = sizeof kDstViews / sizeof(ViewFacts);
constexpr int kSegmentCount = sizeof kSegments / sizeof(SegmentFacts);

/// The rows of a tile's tokens, heads and content still to be added; null: the token is not moved.
struct Rows {
  const char* src[kSrcCount][kTileTokens];
  char* dst[kDstCount][kTileTokens];
};

struct Tile {
  Index layer;
  Index plane;
  Index first_token;
  int tokens;
  int part;
};

__device__ inline Index token_groups(const KvMoveArgs& args) {
  return (args.tokens - args.first_token + kTileTokens - 1) / kTileTokens;
}

__device__ inline Tile tile_at(const KvMoveArgs& args, Index number) {
  Tile tile{};
  tile.part = static_cast<int>(number % kParts);
  const Index groups = token_groups(args);
  const Index above = number / kParts / groups;
  tile.first_token = args.first_token + (number / kParts - above * groups) * kTileTokens;
  const Index rest = args.tokens - tile.first_token;
  tile.tokens = rest < kTileTokens ? static_cast<int>(rest) : kTileTokens;
  tile.plane = above % kPlanes;
  tile.layer = above / kPlanes;
  return tile;
}

__device__ inline void report(const KvMoveArgs& args, Index slot) {
  if (slot == kNegativeSlot && kNegative == KvBadIndex::report)
    atomicOr(args.status, lathe::kKvNegativeIndex);
  if (slot == kNoSuchSlot && kBounds == KvBadIndex::report) atomicOr(args.status, lathe::kKvIndexTooLarge);
}

/// A token's slots on both sides.
struct Slots {
  Index src;
  Index dst;
  __device__ bool are_valid() const { return src >= 0 && dst >= 0; }
};

__device__ inline Slots slots_of(const KvMoveArgs& args, Index token) {
  return {slot_of(kSrcIndex, args.src_index, token, args.src_slots),
          slot_of(kDstIndex, args.dst_index, token, args.dst_slots)};
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
    report(args, slots.src);
    report(args, slots.dst);
    bool moves = slots.are_valid();
    if constexpr (kDuplicates != KvDuplicates::unchecked) {
      moves = moves && static_cast<const int*>(args.workspace)[slots.dst] == token;
    }
    find_src_rows(args, tile, rows, i, moves ? slots.src : -1);
    find_dst_rows(args, tile, rows, i, moves ? slots.dst : -1);
  }
}

/// Which of the tile's items, `per_token` each, are this block's.
struct Range {
  int begin;
  int end;
};

__device__ inline Range items_of(const Tile& tile, int per_token) {
  if constexpr (kParts == 1) return {0, tile.tokens * per_token};
  const int per_part = (per_token + kParts - 1) / kParts;
  const int begin = tile.part * per_part;
  return {begin, begin + per_part < per_token ? begin + per_part : per_token};
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

/// Where the stored scales of a head's row lie: in a view of the same side.
template <int kSegment>
__device__ inline const char* src_scales(const KvMoveArgs& args, const Rows& rows, int token, Index head) {
  constexpr ScaleFacts scale = kSegments[kSegment].src_scale;
  constexpr ViewFacts view = kSrcViews[scale.view];
  return rows.src[scale.view][token] +
         (args.src_first_head + head) * step_of(view.head_step, args.src[scale.view].head_step);
}

template <int kSegment>
__device__ inline char* dst_scales(const KvMoveArgs& args, const Rows& rows, int token, Index head) {
  constexpr ScaleFacts scale = kSegments[kSegment].dst_scale;
  constexpr ViewFacts view = kDstViews[scale.view];
  return rows.dst[scale.view][token] +
         (args.dst_first_head + head) * step_of(view.head_step, args.dst[scale.view].head_step);
}

/// A row of one head is `kItems` groups of elements; as many lanes as share a group work on one.
template <int kSegment>
__device__ inline void convert_segment(const KvMoveArgs& args, const Rows& rows, const Tile& tile) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ViewFacts from = kSrcViews[segment.src_view];
  constexpr ViewFacts to = kDstViews[segment.dst_view];
  // What shares a scale, or pairs, is in one group.
  constexpr bool kRotates = segment.rotate != KvRotate::none;
  constexpr bool kStores = segment.dst_scale.kind == KvScaleKind::stored;
  constexpr int kGroup = kRotates ? segment.count : kStores ? segment.dst_scale.group : segment.width;
  constexpr PairShape kPairs{kRotates ? kRotation.dim : 0, static_cast<int>(segment.rotate_offset),
                             kRotation.is_half};
  using Group = GroupOf<segment.src_type, segment.dst_type, segment.width, kGroup, kPairs>;
  constexpr int kItems = static_cast<int>(segment.count / Group::kElements);
  const Index src_piece_step = step_of(from.piece_step, args.src[segment.src_view].piece_step);
  const Index dst_piece_step = step_of(to.piece_step, args.dst[segment.dst_view].piece_step);
  const Range range = items_of(tile, kHeads * kItems);
  for (int item = range.begin + Group::worker(); item < range.end; item += kThreads / Group::kLanes) {
    const int row = item / kItems;
    const int token = row / kHeads;
    const Place place = place_of<kSegment>(args, rows, token, row % kHeads);
    if (place.src == nullptr) continue;
    const Index first = static_cast<Index>(item - row * kItems) * Group::kElements;
    Group group;
    group.load([&](int element) {
      return place.src +
             content_offset(from, src_piece_step, segment.src_offset + (first + element) * Group::kSrcBytes);
    });
    if constexpr (segment.src_scale.kind == KvScaleKind::table) {
      const float scale = table_scale(segment.src_scale, args, args.src_first_layer + tile.layer,
                                      args.src_first_plane + tile.plane, args.src_first_head + place.head);
      group.apply(
          [&](int, float value) { return segment.src_scale.inverted ? value / scale : value * scale; });
    }
    if constexpr (segment.src_scale.kind == KvScaleKind::stored) {
      const char* scales = src_scales<kSegment>(args, rows, token, place.head);
      group.apply([&](int element, float value) {
        return value * stored_scale(segment.src_scale, scales, (first + element) / segment.src_scale.group);
      });
    }
    if constexpr (kRotates) {
      const Angle positions = positions_to_turn(kRotation, segment.rotate, args, tile.first_token + token);
      group.turn([&](int pair) { return sin_cos_for(kRotation, segment.rotate, positions * kTurns[pair]); });
    }
    if constexpr (segment.dst_scale.kind == KvScaleKind::table) {
      const float scale = table_scale(segment.dst_scale, args, args.dst_first_layer + tile.layer,
                                      args.dst_first_plane + tile.plane, args.dst_first_head + place.head);
      group.apply(
          [&](int, float value) { return segment.dst_scale.inverted ? value * scale : value / scale; });
    }
    if constexpr (segment.dst_scale.kind == KvScaleKind::stored) {
      const float scale =
          store_scale(segment.dst_scale, dst_scales<kSegment>(args, rows, token, place.head),
                      first / Group::kElements, group.amax(), Group::kLargest, Group::lane() == 0);
      group.apply([&](int, float value) { return divided_by_scale(value, scale); });
    }
    group.store([&](int element) {
      return place.dst +
             content_offset(to, dst_piece_step, segment.dst_offset + (first + element) * Group::kDstBytes);
    });
  }
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

/// No token has claimed a destination yet.
extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_kv_unclaim(const __grid_constant__ KvMoveArgs args) {
  const Index token = args.first_token + static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (token >= args.tokens) return;
  const Slots slots = slots_of(args, token);
  if (slots.are_valid()) static_cast<volatile int*>(args.workspace)[slots.dst] = -1;
}

/// The last token that names a destination has it.
extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_kv_claim(const __grid_constant__ KvMoveArgs args) {
  const Index token = args.first_token + static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (token >= args.tokens) return;
  const Slots slots = slots_of(args, token);
  if (!slots.are_valid()) return;
  const int before = atomicMax(static_cast<int*>(args.workspace) + slots.dst, static_cast<int>(token));
  if (kDuplicates == KvDuplicates::report && before >= 0) atomicOr(args.status, lathe::kKvDuplicateSlot);
}

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_kv_move(const __grid_constant__ KvMoveArgs args) {
  __shared__ Rows rows;
  const Index tiles = args.layers * kPlanes * token_groups(args) * kParts;
  for (Index number = blockIdx.x; number < tiles; number += gridDim.x) {
    const Tile tile = tile_at(args, number);
    find_rows(args, tile, rows);
    __syncthreads();
    move_segments(args, rows, tile);
    __syncthreads();
  }
}
