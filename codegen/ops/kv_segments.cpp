// What the segments of a spec are checked for.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "codegen/ops/kv_check.h"
#include "codegen/ops/kv_layout.h"
#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_move_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::array kFloats{f32, f16, bf16, e4m3, e5m2};

/// One end of a segment, and how messages call it.
struct End {
  const KvMove& move;
  std::string segment;  ///< "segments[0]"
  const char* side;     ///< "src"
  const std::vector<KvView>& views;
  std::int64_t view;
  std::int64_t offset;

  const KvView& of_view() const { return views[static_cast<std::size_t>(view)]; }
  Error bad(std::string message, std::string hint = {}) const {
    return bad_kv_spec(move, segment + ": " + std::move(message), std::move(hint));
  }
};

Result<void> check_view_number(const End& end, std::int64_t view, std::string_view field) {
  if (view >= 0 && view < static_cast<std::int64_t>(end.views.size())) return {};
  return end.bad(fmt::format("{} is {}, but {} has {} view{}", field, view, end.side, end.views.size(),
                             end.views.size() == 1 ? "" : "s"),
                 "views are counted from 0");
}

/// `bytes` at `offset` lie in the row, at addresses that are multiples of `element`.
Result<void> check_bytes(const End& end, const KvView& view, std::string_view what, std::int64_t offset,
                         std::int64_t bytes, std::int64_t element) {
  if (offset < 0 || offset > row_bytes(view) || bytes > row_bytes(view) - offset) {
    return end.bad(fmt::format("{} takes bytes {} to {} of the {} row, which has {}", what, offset,
                               offset + bytes, end.side, row_bytes(view)),
                   "count counts elements, offsets count bytes");
  }
  const bool is_aligned =
      view.alignment % element == 0 && offset % element == 0 && view.offset % element == 0;
  if (is_aligned) return {};
  return end.bad(
      fmt::format("{} begins at byte {} of {} rows with an alignment of {}, but its elements have {} "
                  "bytes",
                  what, offset, end.side, view.alignment, element),
      "pad the rows, so that elements lie at multiples of their size; only copies may lie anywhere");
}

Result<void> check_dtype(const End& end, DType dtype) {
  if (std::find(kFloats.begin(), kFloats.end(), dtype) != kFloats.end()) return {};
  return end.bad(fmt::format("the {} dtype is {}, which is only copied, and this segment converts", end.side,
                             name_of(dtype)),
                 "name src_dtype and dst_dtype of the segment: f32, f16, bf16, e4m3 or e5m2");
}

Result<void> check_table(const End& end, const KvScale& scale) {
  std::string seen;
  for (const char letter : scale.axes) {
    if (letter == ' ') continue;
    if (std::string_view("LPH").find(letter) == std::string_view::npos ||
        seen.find(letter) != std::string::npos) {
      return end.bad(fmt::format("{}_scale: axes \"{}\" are not L, P and H, each at most once", end.side,
                                 std::string_view(scale.axes).substr(0, 60)),
                     "\"\" is one scale for all, \"H\" one per head, \"L H\" one per layer and head");
    }
    seen += letter;
  }
  return {};
}

Result<void> check_stored(const End& end, const KvSegment& segment, const KvScale& scale) {
  LATHE_CHECK(check_view_number(end, scale.view, fmt::format("{}_scale: view", end.side)));
  constexpr std::array<std::int64_t, 5> kGroups{0, 16, 32, 64, 128};
  if (std::find(kGroups.begin(), kGroups.end(), scale.group) == kGroups.end()) {
    return end.bad(
        fmt::format("{}_scale: group is {}, allowed are 0, 16, 32, 64, 128", end.side, scale.group));
  }
  const std::int64_t group = group_of(segment, scale);
  // A warp holds 256 floats per lane then, most of them spilled; 2048 are the most that registers can hold.
  constexpr std::int64_t kMaxGroup = 8192;
  if (group > kMaxGroup) {
    return end.bad(
        fmt::format("{}_scale: {} elements share one scale, allowed are {}", end.side, group, kMaxGroup),
        "choose a group");
  }
  if (segment.count % group != 0) {
    return end.bad(
        fmt::format("{}_scale: groups of {} do not divide {} elements", end.side, group, segment.count));
  }
  const KvView& view = end.views[static_cast<std::size_t>(scale.view)];
  if (steps_of(view, base_of(end.views, static_cast<std::size_t>(scale.view))).piece != 0) {
    return end.bad(
        fmt::format("{}_scale: view {} has split content, which holds no scales", end.side, scale.view));
  }
  const std::int64_t size = scale.type == KvScaleType::ue8m0 ? 1 : 4;
  return check_bytes(end, view, fmt::format("{}_scale", end.side), scale.offset, segment.count / group * size,
                     size);
}

/// Whatever a kind of scale does not use is as by default, so that one kernel has one spelling.
Result<void> check_scale(const End& end, const KvSegment& segment, KvScale& scale, bool is_written) {
  KvScale used{.kind = scale.kind};
  if (scale.kind == KvScaleKind::table) {
    used.table = scale.table;
    used.first = scale.first;
    used.inverted = scale.inverted;
    LATHE_CHECK(check_table(end, scale));
    for (const char letter : scale.axes) {
      if (letter != ' ') used.axes += used.axes.empty() ? std::string(1, letter) : std::string{' ', letter};
    }
    scale.axes = used.axes;
  }
  if (scale.kind == KvScaleKind::stored) {
    used.group = scale.group;
    used.type = scale.type;
    used.view = scale.view;
    used.offset = scale.offset;
    used.amax_floor = is_written ? static_cast<double>(static_cast<float>(scale.amax_floor)) : 0.0;
    if (is_written) scale.amax_floor = used.amax_floor;
    LATHE_CHECK(check_stored(end, segment, scale));
    scale.group = used.group = group_of(segment, scale);
  }
  if (scale == used) return {};
  const bool is_table = scale.kind == KvScaleKind::table;
  return end.bad(fmt::format("{}_scale: kind is {}, and a field that it does not use is set", end.side,
                             enum_name(scale.kind)),
                 is_table ? "a table has table, first, axes and inverted"
                 : scale.kind == KvScaleKind::stored
                     ? "a stored scale has group, type, view and offset, and where it is written amax_floor"
                     : "leave all of it out, or choose a kind");
}

/// Pairs lie in the segment, and a whole row shares what a group must.
Result<void> check_rotation(const End& end, const KvSegment& segment) {
  const std::int64_t dim = end.move.rotation.dim;
  if (segment.rotate == KvRotate::none) {
    if (segment.rotate_offset == 0) return {};
    return end.bad(fmt::format("rotate_offset is {}, but rotate is none", segment.rotate_offset),
                   "leave it out");
  }
  if (dim == 0 || dim % 2 != 0) {
    return end.bad(fmt::format("it is rotated, but dim of the spec's rotation is {}", dim),
                   "dim is how many elements are rotated, an even number");
  }
  if (segment.rotate_offset + dim > segment.count) {
    return end.bad(fmt::format("elements {} to {} are rotated, but it has {}", segment.rotate_offset,
                               segment.rotate_offset + dim, segment.count));
  }
  constexpr std::int64_t kMaxCount = 8192;  // as for groups
  if (segment.count > kMaxCount) {
    return end.bad(fmt::format("{} elements with a rotation, allowed are {}", segment.count, kMaxCount),
                   "make what is not rotated a segment of its own");
  }
  if (segment.dst_scale.kind == KvScaleKind::stored && segment.dst_scale.group != segment.count) {
    return end.bad(fmt::format("dst_scale: groups of {} elements, but rotated ones share one scale",
                               segment.dst_scale.group),
                   "leave group out, or make what is not rotated a segment of its own");
  }
  return {};
}

/// A copy is one of bytes, so that its elements' type makes no other kernel.
void count_in_bytes(KvSegment& segment) {
  segment.count *= static_cast<std::int64_t>(size_of(*segment.src_dtype));
  segment.src_dtype = segment.dst_dtype = u8;
}

Result<void> check_conversion(const End& src, const End& dst, KvSegment& segment) {
  LATHE_CHECK(check_dtype(src, *segment.src_dtype));
  LATHE_CHECK(check_dtype(dst, *segment.dst_dtype));
  LATHE_CHECK(check_scale(src, segment, segment.src_scale, false));
  LATHE_CHECK(check_scale(dst, segment, segment.dst_scale, true));
  const bool is_fp8 = *segment.dst_dtype == e4m3 || *segment.dst_dtype == e5m2;
  if (segment.dst_scale.kind == KvScaleKind::stored && !is_fp8) {
    return dst.bad(fmt::format("dst_scale is written from the largest magnitude, but dst_dtype is {}",
                               name_of(*segment.dst_dtype)),
                   "written scales are for e4m3 and e5m2");
  }
  return {};
}

Result<void> normalize_segment(const KvMove& move, std::size_t number, KvSegment& segment) {
  const std::string name = fmt::format("segments[{}]", number);
  const End src{move, name, "src", move.src, segment.src_view, segment.src_offset};
  const End dst{move, name, "dst", move.dst, segment.dst_view, segment.dst_offset};
  LATHE_CHECK(check_view_number(src, segment.src_view, "src_view"));
  LATHE_CHECK(check_view_number(dst, segment.dst_view, "dst_view"));
  if (segment.plane >= move.planes) {
    return src.bad(fmt::format("plane is {}, but {} planes are moved", segment.plane, move.planes),
                   "planes are counted from 0; -1 means all");
  }
  if (!segment.src_dtype) segment.src_dtype = src.of_view().dtype;
  if (!segment.dst_dtype) segment.dst_dtype = dst.of_view().dtype;
  const auto src_size = static_cast<std::int64_t>(size_of(*segment.src_dtype));
  const auto dst_size = static_cast<std::int64_t>(size_of(*segment.dst_dtype));
  if (segment.count == 0) segment.count = (row_bytes(src.of_view()) - segment.src_offset) / src_size;
  if (segment.count <= 0) return src.bad("there is nothing to move: src_offset is at the row's end");
  const bool copies = is_copy(segment);
  if (!copies) LATHE_CHECK(check_conversion(src, dst, segment));
  LATHE_CHECK(check_bytes(src, src.of_view(), "it", segment.src_offset, segment.count * src_size,
                          copies ? 1 : src_size));
  LATHE_CHECK(check_bytes(dst, dst.of_view(), "it", segment.dst_offset, segment.count * dst_size,
                          copies ? 1 : dst_size));
  LATHE_CHECK(check_rotation(src, segment));
  if (copies) count_in_bytes(segment);
  return {};
}

/// Bytes of a destination's row that a segment writes.
struct Written {
  std::int64_t view, plane, begin, end;
  std::size_t segment;
};

Result<void> check_overlaps(const KvMove& move, const std::vector<KvSegment>& segments) {
  std::vector<Written> all;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const KvSegment& s = segments[i];
    all.push_back({s.dst_view, s.plane, s.dst_offset,
                   s.dst_offset + s.count * static_cast<std::int64_t>(size_of(*s.dst_dtype)), i});
    if (s.dst_scale.kind != KvScaleKind::stored) continue;
    const std::int64_t scales = s.count / s.dst_scale.group;
    all.push_back({s.dst_scale.view, s.plane, s.dst_scale.offset,
                   s.dst_scale.offset + scales * (s.dst_scale.type == KvScaleType::ue8m0 ? 1 : 4), i});
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool is_same_row = all[i].view == all[j].view &&
                               (all[i].plane == all[j].plane || all[i].plane < 0 || all[j].plane < 0);
      if (!is_same_row || all[i].end <= all[j].begin || all[j].end <= all[i].begin) continue;
      return bad_kv_spec(
          move,
          fmt::format("segments[{}] and segments[{}] both write bytes {} to {} of dst[{}]'s rows",
                      all[j].segment, all[i].segment, std::max(all[i].begin, all[j].begin),
                      std::min(all[i].end, all[j].end), all[i].view),
          "give them other dst_offsets, views or planes");
    }
  }
  return {};
}

}  // namespace

Result<void> normalize_kv_segments(const KvMove& move, std::vector<KvSegment>& segments) {
  constexpr std::size_t kMaxSegments = 8;
  if (segments.size() > kMaxSegments) {
    return bad_kv_spec(move, fmt::format("{} segments, allowed are 0 to {}", segments.size(), kMaxSegments));
  }
  if (segments.empty()) {
    if (row_bytes(move.src[0]) != row_bytes(move.dst[0]) && move.src[0].dtype == move.dst[0].dtype) {
      return bad_kv_spec(
          move,
          fmt::format("rows have {} bytes in src[0] and {} in dst[0], and there are no segments",
                      row_bytes(move.src[0]), row_bytes(move.dst[0])),
          "make content the same, or say in segments what goes where");
    }
    segments.emplace_back();
  }
  for (std::size_t i = 0; i < segments.size(); ++i) LATHE_CHECK(normalize_segment(move, i, segments[i]));
  return check_overlaps(move, segments);
}

}  // namespace lathe::codegen
