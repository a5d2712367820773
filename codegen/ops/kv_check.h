// The parts of normalizing kv_gather and kv_scatter: views, then segments.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

/// Resolves the defaults of a side's views. `side` is "src" or "dst". Errors: invalid_spec.
Result<void> normalize_kv_views(const KvMove& move, const char* side, std::vector<KvView>& views);

/// Resolves the defaults of the segments; an empty list becomes a copy of the row. REQUIRES: normalized
/// views, planes and heads. Errors: invalid_spec.
Result<void> normalize_kv_segments(const KvMove& move, std::vector<KvSegment>& segments);

/// Elements that share a stored scale.
inline std::int64_t group_of(const KvSegment& segment, const KvScale& scale) {
  return scale.group == 0 ? segment.count : scale.group;
}

/// Whether a segment's bytes are moved as they are.
inline bool is_copy(const KvSegment& segment) {
  return segment.src_dtype == segment.dst_dtype && segment.src_scale.kind == KvScaleKind::none &&
         segment.dst_scale.kind == KvScaleKind::none && segment.rotate == KvRotate::none;
}

}  // namespace lathe::codegen
