// Engines' functions on caches as moves.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <lathe/kv_presets.h>

namespace lathe::base {

struct KvSides {
  std::vector<KvView> src{};
  std::vector<KvView> dst{};
  KvIndex src_index{};
  KvIndex dst_index{};
  std::vector<KvSegment> segments{};
};

struct KvFunction {
  std::string_view name;
  std::string_view summary;
  KvDirection direction;
  KvSides (*sides)(const KvModel&);
};

std::span<const KvFunction> kv_functions();

}  // namespace lathe::base
