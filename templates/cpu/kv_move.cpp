// kv_gather and kv_scatter for the CPU: rows of a key-value cache from one layout to another. Work is cut
// into tiles: some tokens of one layer and plane, or a part of a token whose row is long.

#include <lathe/args.h>

#include "common/kv_facts.h"
#include "common/rotation.h"

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
constexpr int kParts = 1;           // of a token's row
constexpr int kClaimTokens = 8192;  // per block, where tokens claim destinations
constexpr KvBadIndex kNegative = KvBadIndex::skip;
constexpr KvBadIndex kBounds = KvBadIndex::skip;
constexpr KvDuplicates kDuplicates = KvDuplicates::unchecked;
// lathe:end

#include "cpu/kv_claim.h"
#include "cpu/kv_convert_row.h"
#include "cpu/kv_copy_row.h"

namespace {

/// Outputs beyond this leave no room in a core's own caches for what else is at hand.
constexpr Index kStreamingBytes = Index{1} << 20;

constexpr Index bytes_per_token() {
  Index bytes = 0;
  for (const SegmentFacts& segment : kSegments) bytes += segment.count * kHeads;
  return bytes;
}

/// A power of two: how many tokens' rows are known at a time, one that is moved and others that are on their
/// way from memory. Together those others have as many lines as a core can wait for.
constexpr int known_tokens() {
  constexpr Index kBytesAhead = 2048;
  constexpr int kMost = 16;
  int known = 2;
  while (known < kMost && (known - 1) * bytes_per_token() < kBytesAhead) known *= 2;
  return known;
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
          copy_row<kSegment>(tile, place, streams);
        } else {
          convert_row<kSegment>(args, tile, place, turns);
        }
      }
    }
    move_segments<kSegment + 1>(args, tile, token, rows, streams);
  }
}

template <int kSegment = 0>
inline void fetch_segments(const KvMoveArgs& args, const Tile& tile, const Rows& rows) {
  if constexpr (kSegment < kSegmentCount && kParts == 1) {
    constexpr SegmentFacts segment = kSegments[kSegment];
    if constexpr (segment.src_type == KvType::bytes) {
      for (Index head = 0; head < kHeads && (segment.plane < 0 || segment.plane == tile.plane); ++head) {
        fetch_row<kSegment>(place_of<kSegment>(args, rows, head));
      }
    }
    fetch_segments<kSegment + 1>(args, tile, rows);
  }
}

/// While a token's rows are moved, those of the next ones are on their way from memory.
inline void move_tile(const KvMoveArgs& args, const Tile& tile, bool streams) {
  constexpr int kKnown = known_tokens();
  Rows known[kKnown];
  const auto find = [&](Index i) {
    if (i >= tile.tokens) return;
    Rows& rows = known[i % kKnown] = find_rows(args, tile, tile.first_token + i);
    if (rows.are_moved()) fetch_segments(args, tile, rows);
  };
  for (int i = 0; i < kKnown - 1; ++i) find(i);
  for (Index i = 0; i < tile.tokens; ++i) {
    find(i + kKnown - 1);
    const Rows& rows = known[i % kKnown];
    if (rows.are_moved()) move_segments(args, tile, tile.first_token + i, rows, streams);
  }
}

inline bool should_stream(const KvMoveArgs& args) {
  return (args.tokens - args.first_token) * args.layers * kPlanes >= kStreamingBytes / bytes_per_token() + 1;
}

}  // namespace

extern "C" void lathe_kv_move(const KvMoveArgs* args, Index first_block, Index last_block) {
  const Index tiles = count_tiles(*args);
  const Index blocks = args->max_blocks > 0 ? smaller(args->max_blocks, tiles) : tiles;
  const bool streams = should_stream(*args);
  for (Index block = first_block; block < last_block; ++block) {
    for (Index tile = block; tile < tiles; tile += blocks) move_tile(*args, tile_at(*args, tile), streams);
  }
  if (streams) finish_streaming();
}
