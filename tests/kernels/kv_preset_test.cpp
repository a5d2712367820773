// Every preset of kv_gather and kv_scatter, for a small model, on every device at hand.
#include <algorithm>
#include <string>
#include <vector>

#include <lathe/kv_positions.h>
#include <lathe/kv_presets.h>

#include "tests/kernels/kv_case.h"
#include "tests/kernels/kv_layouts.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr KvModel kSmall{.layers = 2,
                         .heads = 2,
                         .head_size = 32,
                         .block_size = 4,
                         .chunk = 8,
                         .latent = 128,
                         .rotated = 16,
                         .indexer = 128};
constexpr Index kBlocks = 6;

/// A map of the kind for eleven tokens, with one that is skipped.
KvMap map_of(const KvIndex& index, Index limit) {
  using enum KvIndexKind;
  KvMap map;
  switch (index.kind) {
   case slots: {
      map.index = distinct(11, limit, static_cast<std::uint32_t>(limit));
      map.index[4] = -1;
      break;
    }
    case pairs:
      map.index = {2, 0, 0, 3, -1, 1, 3, 5};
      break;
    case block_table:
      map = {.index = {4, 1, 0, 3, 5, 2}, .offsets = {0, 5, 5, 11}, .table_width = 2};
      break;
    case pages: {
      std::vector<std::int32_t> rows(11);
      std::vector<std::int32_t> positions(11);
      const std::vector<std::int32_t> indptr{0, 6, 6, 10};
      const std::vector<std::int32_t> lengths{7, 3, 9};
      REQUIRE(kv_append_positions<std::int32_t>(indptr, lengths, rows, positions));
      map = {.index = {4, 1, 0, 3, 5, 2}, .offsets = {0, 2, 3, 6}};
      map.rows.assign(rows.begin(), rows.end());
      map.positions.assign(positions.begin(), positions.end());
      break;
    }
    case identity:
    case blocks:
      break;
  }
  return map;
}

template <class Views>
void give_memory(const Views& views, const KvIndex& index, std::array<KvMemory, kMaxKvViews>& memory) {
  for (std::size_t i = 0; i < views.size(); ++i) {
    const bool is_list = views[i].axes.find('B') == std::string::npos && views[i].base != KvBase::chunk;
    if (index.kind != KvIndexKind::identity) memory[i].blocks = is_list ? kBlocks * 4 : kBlocks;
    if (views[i].short_tail) memory[i].last_slots = 3;
  }
}

template <KvDirection direction>
KvCase case_of(const KvMoveSpec<direction>& spec) {
  KvCase test{.spec = spec, .tokens = 11, .scales = {0.04f, 0.07f}};
  if (spec.src_index.kind == KvIndexKind::pairs) test.tokens = 4;
  const Index slots = spec.src_index.kind == KvIndexKind::pairs ? kBlocks : kBlocks * 4;
  test.src_map = map_of(spec.src_index, slots);
  test.dst_map = spec.dst_index.kind == spec.src_index.kind && spec.src_index.kind == KvIndexKind::slots
                     ? KvMap{.index = distinct(11, slots, 99)}
                     : map_of(spec.dst_index, slots);
  give_memory(spec.src, spec.src_index, test.src);
  give_memory(spec.dst, spec.dst_index, test.dst);
  test.has_nans = !spec.segments.empty() && spec.segments[0].src_dtype == e4m3;
  return test;
}

void check(Runtime& runtime, const KvCase& test) {
  const std::string wrong = run_kv(runtime, test);
  CHECK(wrong == "");
}

/// Every cache with one object, the objects in turn, and every function: each pair is its two halves.
std::vector<std::string> presets_of(KvDirection direction) {
  constexpr int kObjects = 5;
  std::vector<std::string> names;
  std::string cache;
  int cache_number = direction == KvDirection::gather ? 0 : 2;
  int object_number = 0;
  for (const KvPreset& preset : kv_presets(direction)) {
    const std::string half = preset.name.substr(0, preset.name.find('-'));
    object_number = half == cache ? object_number + 1 : 0;
    if (half != cache) ++cache_number;
    cache = half;
    const bool has_objects = half != preset.name && !preset.name.ends_with("-rows");
    if (!has_objects || object_number == cache_number % kObjects) names.push_back(preset.name);
  }
  return names;
}

}  // namespace

TEST_CASE("kv: every gather that has a name") {
  on_every_target([](Runtime& runtime) {
    for (const std::string& name : presets_of(KvDirection::gather)) {
      INFO(name);
      check(runtime, case_of(kv_gather_preset(name, kSmall).value()));
    }
  });
}

TEST_CASE("kv: every scatter that has a name") {
  on_every_target([](Runtime& runtime) {
    for (const std::string& name : presets_of(KvDirection::scatter)) {
      INFO(name);
      check(runtime, case_of(kv_scatter_preset(name, kSmall).value()));
    }
  });
}
