// Rows whose elements are converted, scaled or rotated, on the CPU. Included after the parameter block of a
// template, whose names it uses.
#pragma once

#include "common/kv_rotation.h"
#include "common/kv_scale.h"
#include "cpu/kv_convert.h"
#include "cpu/kv_rows.h"

namespace {

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
  const Range range = part_of_row(tile.part, (segment.count + kBatch - 1) / kBatch);
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

}  // namespace
