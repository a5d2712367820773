// kv_gather and kv_scatter for the CPU: rows of a key-value cache from one layout to another. Work is cut
// into tiles: some tokens of one layer and plane, or a part of a token whose row is long.

#include <lathe/args.h>

#include "common/kv_index.h"
#include "common/kv_rotation.h"
#include "common/kv_scale.h"
#include "common/kv_view.h"
#include "cpu/kv_convert.h"
#include "cpu/kv_copy.h"

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

namespace {

constexpr int kSrcCount = sizeof kSrcViews / sizeof(ViewFacts);
constexpr int kDstCount = sizeof kDstViews / sizeof(ViewFacts);
constexpr int kSegmentCount = sizeof kSegments / sizeof(SegmentFacts);
constexpr Index kClaimTokens = 256;
/// Outputs beyond this do not stay in the caches anyway.
constexpr Index kStreamingBytes = Index{8} << 20;

struct Slots {
  Index src;
  Index dst;
  bool are_valid() const { return src >= 0 && dst >= 0; }
};

inline Slots slots_of(const KvMoveArgs& args, Index token) {
  return {slot_of(kSrcIndex, args.src_index, token, args.src_slots),
          slot_of(kDstIndex, args.dst_index, token, args.dst_slots)};
}

inline void report(const KvMoveArgs& args, int what) {
  __atomic_fetch_or(args.status, what, __ATOMIC_RELAXED);
}

inline void report(const KvMoveArgs& args, const Slots& slots) {
  const bool is_negative = slots.src == kNegativeSlot || slots.dst == kNegativeSlot;
  const bool is_missing = slots.src == kNoSuchSlot || slots.dst == kNoSuchSlot;
  if (kNegative == KvBadIndex::report && is_negative) report(args, lathe::kKvNegativeIndex);
  if (kBounds == KvBadIndex::report && is_missing) report(args, lathe::kKvIndexTooLarge);
}

/// The rows of one token, heads and content still to be added.
struct Rows {
  const char* src[kSrcCount];
  char* dst[kDstCount];
};

struct Tile {
  Index layer;
  Index plane;
  Index first_token;
  Index last_token;
  Index part;
};

inline Index token_groups(const KvMoveArgs& args) {
  return (args.tokens - args.first_token + kTileTokens - 1) / kTileTokens;
}

inline Tile tile_at(const KvMoveArgs& args, Index number) {
  Tile tile{};
  tile.part = number % kParts;
  const Index groups = token_groups(args);
  const Index above = number / kParts / groups;
  tile.first_token = args.first_token + (number / kParts - above * groups) * kTileTokens;
  const Index end = tile.first_token + kTileTokens;
  tile.last_token = end < args.tokens ? end : args.tokens;
  tile.plane = above % kPlanes;
  tile.layer = above / kPlanes;
  return tile;
}

inline bool find_rows(const KvMoveArgs& args, const Tile& tile, Index token, Rows& rows) {
  const Slots slots = slots_of(args, token);
  report(args, slots);
  if (!slots.are_valid()) return false;
  if constexpr (kDuplicates != KvDuplicates::unchecked) {
    if (static_cast<const int*>(args.workspace)[slots.dst] != token) return false;
  }
  const SlotPlace from{args.src_first_layer + tile.layer, args.src_first_plane + tile.plane, slots.src};
  for (int i = 0; i < kSrcCount; ++i) {
    const LaunchView<const void*> view{kSrcViews[i], kSrcViews[0], args.src[i], args.src[0],
                                       args.src_pointers};
    rows.src[i] = slot_address(view, from);
  }
  const SlotPlace to{args.dst_first_layer + tile.layer, args.dst_first_plane + tile.plane, slots.dst};
  for (int i = 0; i < kDstCount; ++i) {
    const LaunchView<void*> view{kDstViews[i], kDstViews[0], args.dst[i], args.dst[0], args.dst_pointers};
    rows.dst[i] = const_cast<char*>(slot_address(view, to));
  }
  return true;
}

/// Which of a row's items this tile has.
struct Range {
  Index begin;
  Index end;
};

inline Range items_of(const Tile& tile, Index per_token) {
  if constexpr (kParts == 1) return {0, per_token};
  const Index per_part = (per_token + kParts - 1) / kParts;
  const Index begin = tile.part * per_part;
  return {begin < per_token ? begin : per_token, begin + per_part < per_token ? begin + per_part : per_token};
}

/// A segment of one head's row, and where its scales are.
struct Place {
  Index head;
  const char* src;
  char* dst;
  const char* src_scales;
  char* dst_scales;
  Index src_piece_step;
  Index dst_piece_step;
};

template <int kSegment>
inline Place place_of(const KvMoveArgs& args, const Rows& rows, Index head) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  const auto src_row = [&](int view) {
    return rows.src[view] +
           (args.src_first_head + head) * step_of(kSrcViews[view].head_step, args.src[view].head_step);
  };
  const auto dst_row = [&](int view) {
    return rows.dst[view] +
           (args.dst_first_head + head) * step_of(kDstViews[view].head_step, args.dst[view].head_step);
  };
  return {.head = head,
          .src = src_row(segment.src_view),
          .dst = dst_row(segment.dst_view),
          .src_scales = src_row(segment.src_scale.view),
          .dst_scales = dst_row(segment.dst_scale.view),
          .src_piece_step =
              step_of(kSrcViews[segment.src_view].piece_step, args.src[segment.src_view].piece_step),
          .dst_piece_step =
              step_of(kDstViews[segment.dst_view].piece_step, args.dst[segment.dst_view].piece_step)};
}

constexpr Index smaller(Index a, Index b) {
  return a < b ? a : b;
}

/// Bytes that lie together on both sides, whatever the offset: whole runs, and what is left at the end.
template <int kSegment>
constexpr Index run_bytes() {
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ViewFacts from = kSrcViews[segment.src_view];
  constexpr ViewFacts to = kDstViews[segment.dst_view];
  if (from.piece_step == 0 && to.piece_step == 0) return segment.count;
  Index run = segment.count;
  if (from.piece_step != 0) run = smaller(run, from.piece_bytes);
  if (to.piece_step != 0) run = smaller(run, to.piece_bytes);
  // Runs must not begin within a piece.
  while (segment.count % run != 0 ||
         (from.piece_step != 0 && (from.piece_bytes % run != 0 || segment.src_offset % run != 0)) ||
         (to.piece_step != 0 && (to.piece_bytes % run != 0 || segment.dst_offset % run != 0))) {
    --run;
  }
  return run;
}

template <int kSegment>
inline void copy_whole(const Place& place, const Range& range, bool streams) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  char* const to = place.dst + segment.dst_offset + range.begin;
  const char* const from = place.src + segment.src_offset + range.begin;
  if constexpr (kParts > 1) {
    __builtin_memcpy(to, from, static_cast<unsigned long>(range.end - range.begin));
  } else if (streams && segment.count >= Index{2 * sizeof(CopyVector)}) {
    copy_streaming<segment.count, segment.width>(to, from);
  } else {
    __builtin_memcpy(to, from, segment.count);
  }
}

template <int kSegment>
inline void copy_row(const Place& place, const Tile& tile, bool streams) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ViewFacts from = kSrcViews[segment.src_view];
  constexpr ViewFacts to = kDstViews[segment.dst_view];
  constexpr Index kRun = run_bytes<kSegment>();
  if constexpr (kRun == segment.count) {
    copy_whole<kSegment>(place, items_of(tile, segment.count), streams);
  } else {
    const Range range = items_of(tile, segment.count / kRun);
    for (Index run = range.begin; run < range.end; ++run) {
      __builtin_memcpy(
          place.dst + content_offset(to, place.dst_piece_step, segment.dst_offset + run * kRun),
          place.src + content_offset(from, place.src_piece_step, segment.src_offset + run * kRun), kRun);
    }
  }
}

/// Elements that are converted at a time: a group that shares a scale, or as many as fit a piece.
template <int kSegment>
constexpr Index batch_elements() {
  constexpr SegmentFacts segment = kSegments[kSegment];
  if (segment.rotate != KvRotate::none) return segment.count;
  if (segment.dst_scale.kind == KvScaleKind::stored) return segment.dst_scale.group;
  if (segment.src_scale.kind == KvScaleKind::stored) return segment.src_scale.group;
  return smaller(segment.count, 1024);
}

constexpr int kPairs = kRotation.dim > 0 ? kRotation.dim / 2 : 1;

/// A token's sines and cosines, which its heads share.
struct Turns {
  SinCos<float> of[kPairs];
};

template <int kSegment>
inline void find_turns(const KvMoveArgs& args, Index token, Turns& turns) {
  constexpr KvRotate kRotate = kSegments[kSegment].rotate;
  const Angle positions = positions_to_turn(kRotation, kRotate, args, token);
  for (int pair = 0; pair < kPairs; ++pair) {
    turns.of[pair] = sin_cos_for(kRotation, kRotate, positions * kTurns[pair]);
  }
}

/// Turns the pairs among a row's values.
template <int kSegment>
inline void turn(const Turns& turns, float* values) {
  float* const first = values + kSegments[kSegment].rotate_offset;
  constexpr int kStride = kRotation.is_half ? 1 : 2;
  constexpr int kPartner = kRotation.is_half ? kPairs : 1;
  for (int pair = 0; pair < kPairs; ++pair) {
    float* const x = first + pair * kStride;
    rotate(x[0], x[kPartner], turns.of[pair].sin, turns.of[pair].cos);
  }
}

/// Elements of a row that are converted together.
struct Batch {
  Index first;
  int count;
  const Turns& turns;
};

template <int kSegment>
inline void scale_batch(const KvMoveArgs& args, const Tile& tile, const Place& place, const Batch& batch,
                        float* values) {
  const Index head = place.head;
  const Index first = batch.first;
  const int count = batch.count;
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ScaleFacts from = segment.src_scale;
  constexpr ScaleFacts to = segment.dst_scale;
  using Dst = typename ElementOf<segment.dst_type>::Type;
  const auto apply = [&](auto function) {
    for (int i = 0; i < count; ++i) values[i] = function(i, values[i]);
  };
  if constexpr (from.kind == KvScaleKind::table) {
    const float scale = table_scale(from, args, args.src_first_layer + tile.layer,
                                    args.src_first_plane + tile.plane, args.src_first_head + head);
    apply([&](int, float value) { return from.inverted ? value / scale : value * scale; });
  }
  if constexpr (from.kind == KvScaleKind::stored) {
    apply([&](int i, float value) {
      return value * stored_scale(from, place.src_scales, (first + i) / from.group);
    });
  }
  if constexpr (segment.rotate != KvRotate::none) turn<kSegment>(batch.turns, values);
  if constexpr (to.kind == KvScaleKind::table) {
    const float scale = table_scale(to, args, args.dst_first_layer + tile.layer,
                                    args.dst_first_plane + tile.plane, args.dst_first_head + head);
    apply([&](int, float value) { return to.inverted ? value * scale : value / scale; });
  }
  if constexpr (to.kind == KvScaleKind::stored) {
    const float scale =
        store_scale(to, place.dst_scales, first / to.group, amax_of(values, count), largest_of<Dst>(), true);
    apply([&](int, float value) { return divided_by_scale(value, scale); });
  }
}

template <int kSegment>
inline void convert_row(const KvMoveArgs& args, const Tile& tile, const Place& place, const Turns& turns) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ViewFacts from = kSrcViews[segment.src_view];
  constexpr ViewFacts to = kDstViews[segment.dst_view];
  constexpr Index kBatch = batch_elements<kSegment>();
  using Src = typename ElementOf<segment.src_type>::Type;
  using Dst = typename ElementOf<segment.dst_type>::Type;
  constexpr Index kSrcBytes = sizeof(typename Src::Storage);
  constexpr Index kDstBytes = sizeof(typename Dst::Storage);
  // Where pieces are apart, as many elements as each has.
  constexpr Index kSrcRun = from.piece_step == 0 ? kBatch : 1;
  constexpr Index kDstRun = to.piece_step == 0 ? kBatch : 1;
  const Range range = items_of(tile, (segment.count + kBatch - 1) / kBatch);
  for (Index batch = range.begin; batch < range.end; ++batch) {
    const Index first = batch * kBatch;
    const int count = static_cast<int>(smaller(kBatch, segment.count - first));
    float values[kBatch];
    for (Index i = 0; i < count; i += kSrcRun) {
      const Index byte = segment.src_offset + (first + i) * kSrcBytes;
      widen_elements<Src>(place.src + content_offset(from, place.src_piece_step, byte),
                          static_cast<int>(smaller(kSrcRun, count)), values + i);
    }
    scale_batch<kSegment>(args, tile, place, {first, count, turns}, values);
    for (Index i = 0; i < count; i += kDstRun) {
      const Index byte = segment.dst_offset + (first + i) * kDstBytes;
      narrow_elements<Dst>(place.dst + content_offset(to, place.dst_piece_step, byte),
                           static_cast<int>(smaller(kDstRun, count)), values + i);
    }
  }
}

template <int kSegment = 0>
inline void move_segments(const KvMoveArgs& args, const Tile& tile, Index token, const Rows& rows,
                          bool streams) {
  if constexpr (kSegment < kSegmentCount) {
    constexpr SegmentFacts segment = kSegments[kSegment];
    if (segment.plane < 0 || segment.plane == tile.plane) {
      Turns turns;
      if constexpr (segment.rotate != KvRotate::none) find_turns<kSegment>(args, token, turns);
      for (Index head = 0; head < kHeads; ++head) {
        const Place place = place_of<kSegment>(args, rows, head);
        if constexpr (segment.src_type == KvType::bytes) {
          copy_row<kSegment>(place, tile, streams);
        } else {
          convert_row<kSegment>(args, tile, place, turns);
        }
      }
    }
    move_segments<kSegment + 1>(args, tile, token, rows, streams);
  }
}

/// Rows that are copied next, on their way from memory while others are.
template <int kSegment = 0>
inline void fetch_rows(const KvMoveArgs& args, const Tile& tile, const Rows& rows) {
  if constexpr (kSegment < kSegmentCount && kParts == 1) {
    constexpr SegmentFacts segment = kSegments[kSegment];
    if constexpr (segment.src_type == KvType::bytes && kSrcViews[segment.src_view].piece_step == 0) {
      for (Index head = 0; head < kHeads && (segment.plane < 0 || segment.plane == tile.plane); ++head) {
        fetch_lines<segment.count>(place_of<kSegment>(args, rows, head).src + segment.src_offset);
      }
    }
    fetch_rows<kSegment + 1>(args, tile, rows);
  }
}

inline void move_tile(const KvMoveArgs& args, const Tile& tile, bool streams) {
  Rows rows[2];
  bool moves = find_rows(args, tile, tile.first_token, rows[tile.first_token % 2]);
  for (Index token = tile.first_token; token < tile.last_token; ++token) {
    const Index next = token + 1;
    const bool next_moves = next < tile.last_token && find_rows(args, tile, next, rows[next % 2]);
    if (next_moves) fetch_rows(args, tile, rows[next % 2]);
    if (moves) move_segments(args, tile, token, rows[token % 2], streams);
    moves = next_moves;
  }
}

/// Calls `visit(token)` for the tokens of some blocks.
template <class Visit>
inline void for_each_claim(const KvMoveArgs& args, Index first_block, Index last_block, Visit visit) {
  const Index end = args.first_token + last_block * kClaimTokens;
  for (Index token = args.first_token + first_block * kClaimTokens; token < smaller(end, args.tokens);
       ++token) {
    const Slots slots = slots_of(args, token);
    if (slots.are_valid()) visit(static_cast<int*>(args.workspace) + slots.dst, static_cast<int>(token));
  }
}

inline bool should_stream(const KvMoveArgs& args) {
  Index bytes = 0;
  for (const SegmentFacts& segment : kSegments) bytes += segment.count * kHeads;
  return (args.tokens - args.first_token) * args.layers * kPlanes >= kStreamingBytes / bytes + 1;
}

}  // namespace

/// No token has claimed a destination yet.
extern "C" void lathe_kv_unclaim(const KvMoveArgs* args, Index first_block, Index last_block) {
  for_each_claim(*args, first_block, last_block,
                 [](int* owner, int) { __atomic_store_n(owner, -1, __ATOMIC_RELAXED); });
}

/// The last token that names a destination has it.
extern "C" void lathe_kv_claim(const KvMoveArgs* args, Index first_block, Index last_block) {
  for_each_claim(*args, first_block, last_block, [&](int* owner, int token) {
    int before = __atomic_load_n(owner, __ATOMIC_RELAXED);
    while (before < token &&
           !__atomic_compare_exchange_n(owner, &before, token, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    if (kDuplicates == KvDuplicates::report && before >= 0) report(*args, lathe::kKvDuplicateSlot);
  });
}

extern "C" void lathe_kv_move(const KvMoveArgs* args, Index first_block, Index last_block) {
  const Index tiles = args->layers * kPlanes * token_groups(*args) * kParts;
  const Index blocks = args->max_blocks > 0 ? smaller(args->max_blocks, tiles) : tiles;
  const bool streams = should_stream(*args);
  for (Index block = first_block; block < last_block; ++block) {
    for (Index number = block; number < tiles; number += blocks) {
      const Tile tile = tile_at(*args, number);
      move_tile(*args, tile, streams);
    }
  }
  // Streaming stores are not ordered with later ones, such as the one that tells another thread of this
  // block.
  if (streams) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
