#include <lathe/kv_presets.h>

#include <set>
#include <string>

#include "codegen/ops/kv_move.h"
#include "codegen/spec_json.h"
#include "tests/support/catch.h"

using namespace lathe;

namespace {

template <KvDirection direction, class Find>
void check_all(Find find) {
  std::set<std::string> names;
  for (const KvPreset& preset : kv_presets(direction)) {
    INFO(preset.name);
    CHECK(names.insert(preset.name).second);
    CHECK(!preset.summary.empty());
    const KernelSpec spec = find(preset.name, KvModel{}).value();
    const auto normalized = codegen::op_of(spec).normalize(spec);
    if (!normalized) FAIL(normalized.error().message);
    for (const char* target : {"cuda:sm_90a", "cpu:x86-64-v3"}) {
      CHECK(codegen::plan_kv_move(*normalized, Target::parse(target).value()).has_value());
    }
    CHECK(codegen::spec_from_json(codegen::spec_to_json(spec)).value() == spec);
    CHECK(!codegen::arguments_of_kv_move(*normalized).empty());
  }
}

}  // namespace

TEST_CASE("every preset has a name of its own, is a spec, and can be planned and written as JSON") {
  check_all<KvDirection::gather>(kv_gather_preset);
  check_all<KvDirection::scatter>(kv_scatter_preset);
  CHECK(kv_presets(KvDirection::gather).size() > 60);
}

TEST_CASE("presets take a model's sizes") {
  const auto spec =
      kv_gather_preset("flash_nhd-2ltd", {.layers = 4, .heads = 2, .head_size = 64, .dtype = f16});
  CHECK(spec->src[0].axes == "P B N H C");
  CHECK(spec->src[0].layers == 4);
  CHECK(spec->dst[0].content == 64);
  CHECK(spec->dst[0].dtype == f16);
  CHECK(kv_scatter_preset("flash_nhd-2ltd")->dst[0].axes == "P B N H C");
  CHECK(kv_scatter_preset("concat_and_cache_ds_mla")->dst[0].content == 656);
  CHECK(kv_gather_preset("mla_656-rows")->src[0].content == 656);
  CHECK(kv_gather_preset("dsa_indexer-rows")->src[0].strides[0] == 16 * 132);
}

TEST_CASE("a preset that there is not") {
  CHECK(kv_gather_preset("flash").error().message == "there is no preset \"flash\"");
  CHECK(!kv_gather_preset("reshape_and_cache"));
  CHECK(!kv_scatter_preset("copy_blocks"));
}
