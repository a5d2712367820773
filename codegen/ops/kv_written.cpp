#include "codegen/ops/kv_written.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "codegen/ops/kv_layout.h"
#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_overlap.h"

namespace lathe::codegen {

namespace {

/// Bytes of a view's rows that a segment writes.
struct Written {
  std::size_t segment;
  std::size_t view;
  Index offset, bytes;
};

/// All layers, blocks, slots and heads of it. Nothing: parts of pieces, which are no runs.
std::optional<KvRuns> runs_of(const KvMove& move, const KvMoveArgs& args, const Written& written) {
  const KvView& view = move.dst[written.view];
  const KvViewArgs<void*>& given = args.dst[written.view];
  const KvSegment& segment = move.segments[written.segment];
  const Index piece_bytes = steps_of(view, base_of(move.dst, written.view)).piece_bytes;
  KvRuns runs{.first = view.offset + written.offset, .bytes = written.bytes};
  if (given.piece_step != 0) {
    if (written.offset % piece_bytes != 0 || written.bytes % piece_bytes != 0) return std::nullopt;
    runs.first = view.offset + written.offset / piece_bytes * given.piece_step;
    runs.bytes = piece_bytes;
    runs.add(given.piece_step, written.bytes / piece_bytes);
  }
  if (segment.plane < 0) {
    runs.add(given.plane_step, view.planes);
  } else {
    runs.first += (args.dst_first_plane + segment.plane) * given.plane_step;
  }
  runs.add(given.layer_step, view.layers);
  runs.add(given.block_step, given.blocks);
  runs.add(given.slot_step, view.block_size);
  runs.add(given.head_step, view.heads);
  return runs;
}

}  // namespace

Result<void> check_kv_written(const KvMove& move, const KvMoveArgs& args) {
  const auto is_shared = [](const KvView& view) { return view.base == KvBase::shared; };
  if (std::none_of(move.dst.begin(), move.dst.end(), is_shared)) return {};
  constexpr std::size_t kMost = 16;  // two per segment
  std::array<Written, kMost> all{};
  std::size_t count = 0;
  const auto add = [&](std::size_t segment, std::int64_t view, Index offset, Index bytes) {
    const auto number = static_cast<std::size_t>(view);
    if (number == 0 || is_shared(move.dst[number])) all[count++] = {segment, number, offset, bytes};
  };
  for (std::size_t i = 0; i < move.segments.size(); ++i) {
    const KvSegment& segment = move.segments[i];
    add(i, segment.dst_view, segment.dst_offset,
        segment.count * static_cast<Index>(size_of(*segment.dst_dtype)));
    const KvScale& scale = segment.dst_scale;
    if (scale.kind != KvScaleKind::stored) continue;
    add(i, scale.view, scale.offset,
        segment.count / scale.group * (scale.type == KvScaleType::ue8m0 ? 1 : 4));
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (all[i].view == all[j].view) continue;
      const auto a = runs_of(move, args, all[j]);
      const auto b = runs_of(move, args, all[i]);
      if (!a || !b || !share_bytes(*a, *b)) continue;
      return bad_kv_argument(
          move,
          fmt::format("segments[{}] writes bytes of dst[{}] that segments[{}] writes as dst[{}]",
                      all[i].segment, all[i].view, all[j].segment, all[j].view),
          "these views share their base: see their offsets and strides");
    }
  }
  return {};
}

}  // namespace lathe::codegen
