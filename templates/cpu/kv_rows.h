// Where the rows of a token lie on the CPU. Included after the parameter block of a template, whose names it
// uses.
#pragma once

#include "common/kv_slots.h"
#include "common/kv_tile.h"
#include "common/kv_view.h"

using lathe::Index;
using lathe::KvMoveArgs;

namespace {

constexpr int kSrcCount = sizeof kSrcViews / sizeof(ViewFacts);
constexpr int kDstCount = sizeof kDstViews / sizeof(ViewFacts);
constexpr int kSegmentCount = sizeof kSegments / sizeof(SegmentFacts);

/// The rows of one token, heads and content still to be added. Nothing else: many are written while the
/// stores of earlier rows wait for memory.
struct Rows {
  const char* src[kSrcCount];  ///< the first is null: the token is not moved
  char* dst[kDstCount];

  bool are_moved() const { return src[0] != nullptr; }
};

inline void report(const KvMoveArgs& args, int what) {
  if (what != 0) __atomic_fetch_or(args.status, what, __ATOMIC_RELAXED);
}

inline Rows find_rows(const KvMoveArgs& args, const Tile& tile, Index token) {
  Rows rows;
  rows.src[0] = nullptr;
  const Slots slots = slots_of(args, token);
  report(args, status_of(slots));
  if (!slots.are_valid()) return rows;
  if constexpr (kDuplicates != KvDuplicates::unchecked) {
    if (static_cast<const int*>(args.workspace)[slots.dst] != token) {
      // Another token has the slot.
      if constexpr (kDuplicates == KvDuplicates::report) report(args, lathe::kKvDuplicateSlot);
      return rows;
    }
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
  return rows;
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

}  // namespace
