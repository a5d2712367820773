// Rows whose bytes stay as they are, on the CPU. Included after the parameter block of a template, whose
// names it uses.
#pragma once

#include "cpu/kv_copy.h"
#include "cpu/kv_rows.h"

namespace {

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
    copy_known<segment.count>(to, from);
  }
}

template <int kSegment>
inline void copy_row(const Tile& tile, const Place& place, bool streams) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  constexpr ViewFacts from = kSrcViews[segment.src_view];
  constexpr ViewFacts to = kDstViews[segment.dst_view];
  constexpr Index kRun = run_bytes<kSegment>();
  if constexpr (kRun == segment.count) {
    copy_whole<kSegment>(place, part_of_row(tile.part, segment.count), streams);
  } else {
    const Range range = part_of_row(tile.part, segment.count / kRun);
    for (Index run = range.begin; run < range.end; ++run) {
      __builtin_memcpy(
          place.dst + content_offset(to, place.dst_piece_step, segment.dst_offset + run * kRun),
          place.src + content_offset(from, place.src_piece_step, segment.src_offset + run * kRun), kRun);
    }
  }
}

/// Sends for the lines of a row that is moved soon.
template <int kSegment>
inline void fetch_row(const Place& place) {
  constexpr SegmentFacts segment = kSegments[kSegment];
  if constexpr (kSrcViews[segment.src_view].piece_step == 0) {
    fetch_lines<segment.count>(place.src + segment.src_offset);
  }
}

}  // namespace
