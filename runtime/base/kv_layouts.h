// The layouts that presets are made of: engines' caches, objects, and rows that an engine's function takes.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <lathe/kv_presets.h>

namespace lathe::base {

struct KvLayout {
  std::string_view name;
  std::string_view summary;
  std::vector<KvView> (*views)(const KvModel&);
};

std::span<const KvLayout> kv_caches();
std::span<const KvLayout> kv_objects();

/// A view's extents: every layer has a pointer where the axes have no L.
KvView kv_view(const char* axes, const KvModel& model, KvBase base, std::int64_t planes, std::int64_t heads,
               std::int64_t content);

}  // namespace lathe::base
