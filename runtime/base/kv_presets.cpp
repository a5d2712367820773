#include <lathe/kv_presets.h>

#include <algorithm>
#include <utility>

#include "runtime/base/kv_functions.h"
#include "runtime/base/kv_layouts.h"

namespace lathe {

namespace {

using base::KvLayout;
using base::KvSides;

/// A cache with an object: the object lies in token order, the cache's slots are named by a map.
struct Pair {
  const KvLayout& cache;
  const KvLayout* object;  ///< null: a list of the cache's own rows

  std::string name() const {
    return std::string(cache.name) + "-" + (object != nullptr ? std::string(object->name) : "rows");
  }
  std::string summary() const {
    return std::string(cache.summary) + "; " +
           (object != nullptr ? std::string(object->summary) : "objects of [L, T, row]");
  }
};

/// Rows of each view one after the other, layer by layer.
std::vector<KvView> rows_of(const std::vector<KvView>& cache) {
  std::vector<KvView> rows;
  for (const KvView& view : cache) {
    KvView row = view;
    row.axes = view.heads > 1 ? "L N H C" : "L N C";
    row.base = KvBase::single;
    row.strides.clear();
    row.block_size = 1;
    row.split = row.offset = 0;
    rows.push_back(row);
  }
  return rows;
}

KvSides sides_of(const Pair& pair, const KvModel& model) {
  KvSides sides;
  sides.src = pair.cache.views(model);
  sides.dst = pair.object != nullptr ? pair.object->views(model) : rows_of(sides.src);
  for (std::size_t i = 0; i < sides.src.size(); ++i) {
    KvSegment segment;
    segment.src_view = segment.dst_view = static_cast<std::int64_t>(i);
    sides.segments.push_back(segment);
  }
  sides.src_index.kind = KvIndexKind::slots;
  sides.src_index.dtype = i64;
  return sides;
}

std::vector<Pair> pairs() {
  std::vector<Pair> all;
  for (const KvLayout& cache : base::kv_caches()) {
    const std::vector<KvView> views = cache.views({});
    if (views.size() == 1 && views[0].planes == 2) {
      for (const KvLayout& object : base::kv_objects()) all.push_back({cache, &object});
    } else {
      all.push_back({cache, nullptr});
    }
  }
  return all;
}

template <KvDirection direction>
KvMoveSpec<direction> spec_of(KvSides sides, bool is_reversed) {
  if (is_reversed) {
    std::swap(sides.src, sides.dst);
    std::swap(sides.src_index, sides.dst_index);
    for (KvSegment& segment : sides.segments) std::swap(segment.src_view, segment.dst_view);
  }
  KvMoveSpec<direction> spec;
  spec.src = std::move(sides.src);
  spec.dst = std::move(sides.dst);
  spec.src_index = sides.src_index;
  spec.dst_index = sides.dst_index;
  spec.segments = std::move(sides.segments);
  return spec;
}

template <KvDirection direction>
Result<KvMoveSpec<direction>> find(std::string_view name, const KvModel& model) {
  for (const Pair& pair : pairs()) {
    if (pair.name() == name)
      return spec_of<direction>(sides_of(pair, model), direction == KvDirection::scatter);
  }
  for (const base::KvFunction& function : base::kv_functions()) {
    if (function.direction == direction && function.name == name) {
      return spec_of<direction>(function.sides(model), false);
    }
  }
  return Error{.code = ErrorCode::invalid_argument,
               .stage = Stage::api,
               .message = "there is no preset \"" + std::string(name.substr(0, 60)) + "\"",
               .hint = "kv_presets() and `lathe spec kv_gather --presets` list them"};
}

}  // namespace

std::vector<KvPreset> kv_presets(KvDirection direction) {
  std::vector<KvPreset> presets;
  for (const Pair& pair : pairs()) presets.push_back({pair.name(), pair.summary()});
  for (const base::KvFunction& function : base::kv_functions()) {
    if (function.direction != direction) continue;
    presets.push_back({std::string(function.name), std::string(function.summary)});
  }
  return presets;
}

Result<KvGatherSpec> kv_gather_preset(std::string_view name, const KvModel& model) {
  return find<KvDirection::gather>(name, model);
}

Result<KvScatterSpec> kv_scatter_preset(std::string_view name, const KvModel& model) {
  return find<KvDirection::scatter>(name, model);
}

}  // namespace lathe
