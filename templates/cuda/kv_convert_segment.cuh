// Segments whose elements are converted, scaled or rotated. Included after the parameter block of a template,
// whose names it uses.
#pragma once

#include "common/kv_rotation.h"
#include "common/kv_scale.h"
#include "cuda/kv_convert.cuh"
#include "cuda/kv_rows.cuh"

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
