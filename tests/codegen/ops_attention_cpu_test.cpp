#include <algorithm>
#include <string>

#include "codegen/clang_compiler.h"
#include "codegen/ops/attention.h"
#include "codegen/render.h"
#include "tests/support/catch.h"

using namespace lathe;
using codegen::TemplateLibrary;

namespace {

AttentionSpec normalized(const AttentionSpec& spec) {
  return std::get<AttentionSpec>(codegen::normalize_attention(spec).value());
}

codegen::RenderPlan plan_of(const AttentionSpec& spec) {
  return codegen::plan_attention_cpu(normalized(spec), Target::parse("cpu:x86-64").value()).value();
}

std::string value_of(const codegen::RenderPlan& plan, std::string_view name) {
  const auto at = std::find_if(plan.parameters.begin(), plan.parameters.end(),
                               [&](const auto& parameter) { return parameter.first == name; });
  return at == plan.parameters.end() ? "none" : at->second;
}

long long tile_rows(std::int64_t group, AttentionPhase phase) {
  return plan_of({.query_heads = group, .kv_heads = 1, .head_dim = 64, .phase = phase})
      .entries[0]
      .launch.work_per_block;
}

/// Every option on, or every one off.
AttentionSpec with_all(bool on, AttentionMask mask, DType dtype, DType stored) {
  AttentionSpec spec{.query_heads = 10, .kv_heads = 2, .head_dim = on ? 72 : 64, .dtype = dtype};
  spec.value_dim = on ? 40 : 64;
  spec.kv_dtype = stored;
  spec.kv_scale = on ? AttentionScale::head : AttentionScale::none;
  spec.mask = mask;
  spec.has_window = on;
  spec.has_soft_cap = on;
  spec.has_alibi = on;
  spec.has_sinks = on;
  spec.store_lse = on;
  spec.storage = on ? KvStorage::paged : KvStorage::contiguous;
  spec.page_size = on ? 5 : 0;
  return spec;
}

}  // namespace

TEST_CASE("attention on the CPU: a decode tile holds a group's heads, a prefill tile many queries") {
  CHECK(tile_rows(1, AttentionPhase::prefill) == 128);
  const AttentionSpec wide{
      .query_heads = 1, .kv_heads = 1, .head_dim = 576, .value_dim = 512, .rest_dim = 64};
  CHECK(plan_of(wide).entries[0].launch.work_per_block == 64);
  CHECK(tile_rows(1, AttentionPhase::decode) == 16);
  CHECK(tile_rows(16, AttentionPhase::decode) == 16);
  CHECK(tile_rows(24, AttentionPhase::decode) == 24);
  CHECK(tile_rows(128, AttentionPhase::decode) == 64);
}

TEST_CASE("attention on the CPU: the kernel's tile is the one that plans are made for") {
  const auto plan = plan_of({.query_heads = 8, .kv_heads = 1, .head_dim = 64});
  REQUIRE(plan.entries.size() == 2);
  CHECK(value_of(plan, "kTileRows") == std::to_string(plan.entries[0].launch.work_per_block));
}

TEST_CASE("attention on the CPU: types and names are the spec's") {
  const auto plan = plan_of({.query_heads = 8,
                             .kv_heads = 2,
                             .head_dim = 128,
                             .dtype = f16,
                             .kv_dtype = e5m2,
                             .kv_scale = AttentionScale::tensor,
                             .storage = KvStorage::paged,
                             .page_size = 16,
                             .index_dtype = i64,
                             .mask = AttentionMask::custom});
  CHECK(value_of(plan, "X") == "F16");
  CHECK(value_of(plan, "Kv") == "E5m2");
  CHECK(value_of(plan, "PageNumber") == "long long");
  CHECK(value_of(plan, "kKvScale") == "AttentionScale::tensor");
  CHECK(value_of(plan, "kStorage") == "KvStorage::paged");
  CHECK(value_of(plan, "kMask") == "Mask::custom");
  CHECK(value_of(plan, "kPageSize") == "16");
}

TEST_CASE("attention on the CPU: all options and none compile without a warning", "[slow]") {
  const auto compiler = codegen::make_clang_compiler();
  const TemplateLibrary library = TemplateLibrary::embedded();
  const char* const name = GENERATE("cpu:x86-64", "cpu:x86-64-v3", "cpu:x86-64-v4");
  const bool on = GENERATE(false, true);
  const AttentionMask mask = GENERATE(AttentionMask::none, AttentionMask::causal, AttentionMask::custom);
  const Target target = Target::parse(name).value();
  const DType dtype = on ? f16 : bf16;
  const DType stored = mask == AttentionMask::none ? dtype : on ? e4m3 : e5m2;
  const auto source = codegen::render(normalized(with_all(on, mask, dtype, stored)), target, library);
  REQUIRE(source.has_value());
  const auto binary = compiler->compile(*source, target);
  INFO(source->text);
  REQUIRE(binary.has_value());
  CHECK(binary->log == "");
}
