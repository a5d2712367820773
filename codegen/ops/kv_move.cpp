#include "codegen/ops/kv_move.h"

#include <algorithm>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "codegen/field_check.h"
#include "codegen/ops/kv_check.h"
#include "codegen/ops/kv_layout.h"
#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_move_fields.h"
#include "codegen/ops/rope_frequencies.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

/// How many are moved along an axis: as said, or as many as both sides have.
Result<std::int64_t> resolve_count(const KvMove& move, const char* field, std::int64_t given,
                                   std::int64_t src, std::int64_t dst) {
  if (given == 0 && src != dst) {
    return bad_kv_spec(
        move, fmt::format("src[0] has {} {} and dst[0] {}, and {} is 0", src, field, dst, field),
        fmt::format("set {} to how many are to be moved; src_first_... and dst_first_... of the "
                    "launch say which",
                    field));
  }
  if (given > std::min(src, dst)) {
    return bad_kv_spec(move,
                       fmt::format("{} is {}, but src[0] has {} and dst[0] {}", field, given, src, dst));
  }
  return given == 0 ? src : given;
}

/// A side's views address the same layers, planes and heads.
Result<void> check_agreement(const KvMove& move, const char* side, const std::vector<KvView>& views) {
  for (std::size_t i = 1; i < views.size(); ++i) {
    const auto differs = [&](const char* field, std::int64_t first, std::int64_t other) -> Result<void> {
      if (first == other) return {};
      return bad_kv_spec(
          move, fmt::format("{0}[{1}] has {2} {3}, but {0}[0] has {4}", side, i, other, field, first),
          "the views of a side differ in content and layout, not in what they hold it for");
    };
    LATHE_CHECK(differs("layers", views[0].layers, views[i].layers));
    LATHE_CHECK(differs("planes", views[0].planes, views[i].planes));
    LATHE_CHECK(differs("heads", views[0].heads, views[i].heads));
  }
  return {};
}

Result<void> normalize_index(const KvMove& move, const char* side, const KvView& view, KvIndex& index) {
  const bool has_pages = index.kind != KvIndexKind::identity && index.kind != KvIndexKind::slots;
  if (!has_pages && index.page_size != 0) {
    return bad_kv_spec(move,
                       fmt::format("{}_index: page_size is {}, but kind is {}, which numbers slots", side,
                                   index.page_size, enum_name(index.kind)),
                       "leave page_size out");
  }
  if (has_pages && index.page_size == 0) index.page_size = view.block_size;
  // Nothing is read.
  if (index.kind == KvIndexKind::identity) index.dtype = i32;
  return {};
}

/// What the rotation does not need is as by default.
Result<void> normalize_rotation(const KvMove& move, KvRotation& rotation) {
  const bool is_used = std::any_of(move.segments.begin(), move.segments.end(),
                                   [](const KvSegment& segment) { return segment.rotate != KvRotate::none; });
  if (!is_used) {
    if (rotation == KvRotation{}) return {};
    return bad_kv_spec(move, "there is a rotation, but no segment is rotated",
                       "set rotate of a segment to forward or delta");
  }
  LATHE_TRY(rotation.frequencies,
            normalize_frequencies(rotation.frequencies, rotation.dim,
                                  std::string(move.name()) + ": rotation.frequencies."));
  return {};
}

template <KvDirection direction>
Result<KernelSpec> normalize(const KernelSpec& given) {
  KvMoveSpec<direction> spec = std::get<KvMoveSpec<direction>>(given);
  const KvMove move(spec);
  LATHE_CHECK(check_fields(spec));
  LATHE_CHECK(normalize_kv_views(move, "src", spec.src));
  LATHE_CHECK(normalize_kv_views(move, "dst", spec.dst));
  LATHE_CHECK(check_agreement(move, "src", spec.src));
  LATHE_CHECK(check_agreement(move, "dst", spec.dst));
  LATHE_CHECK(normalize_index(move, "src", spec.src[0], spec.src_index));
  LATHE_CHECK(normalize_index(move, "dst", spec.dst[0], spec.dst_index));
  LATHE_TRY(spec.planes, resolve_count(move, "planes", spec.planes, spec.src[0].planes, spec.dst[0].planes));
  LATHE_TRY(spec.heads, resolve_count(move, "heads", spec.heads, spec.src[0].heads, spec.dst[0].heads));
  LATHE_CHECK(normalize_kv_segments(KvMove(spec), spec.segments));
  LATHE_CHECK(normalize_rotation(KvMove(spec), spec.rotation));
  // A negative slot is recognised at no cost.
  if (spec.negative == KvBadIndex::unchecked) spec.negative = KvBadIndex::skip;
  // Each slot has one token of its own.
  if (spec.dst_index.kind == KvIndexKind::identity) spec.duplicates = KvDuplicates::unchecked;
  return KernelSpec(spec);
}

}  // namespace

KvMove kv_move_of(const KernelSpec& spec) {
  if (const auto* gather = std::get_if<KvGatherSpec>(&spec)) return KvMove(*gather);
  return KvMove(std::get<KvScatterSpec>(spec));
}

Result<KernelSpec> normalize_kv_gather(const KernelSpec& spec) {
  return normalize<KvDirection::gather>(spec);
}

Result<KernelSpec> normalize_kv_scatter(const KernelSpec& spec) {
  return normalize<KvDirection::scatter>(spec);
}

}  // namespace lathe::codegen
