// How attention is rendered for the CPU.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "codegen/ops/attention.h"
#include "codegen/ops/attention_hooks.h"
#include "codegen/ops/rope_frequencies.h"
#include "codegen/spec_fields.h"

namespace lathe::codegen {

namespace {

/// Rows that packing a tile of keys pays for; fewer where a row's query and sums take more of the
/// second-level cache than this many floats.
constexpr std::int64_t kPrefillRows = 128;
constexpr std::int64_t kFewerPrefillRows = 64;
constexpr std::int64_t kMostRowFloats = 512;
/// Rows of one decode block: a few tokens of small groups, so that drafted tokens share their keys.
constexpr std::int64_t kLeastDecodeRows = 16;
/// Floats of the longest vector that the template uses.
constexpr std::size_t kWidestVector = 32;

std::string_view type_name(DType dtype) {
  if (dtype == e4m3) return "E4m3";
  if (dtype == e5m2) return "E5m2";
  return dtype == f16 ? "F16" : "Bf16";
}

std::int64_t tile_rows_of(const AttentionSpec& spec) {
  if (spec.phase == AttentionPhase::prefill)
    return spec.head_dim + spec.value_dim <= kMostRowFloats ? kPrefillRows : kFewerPrefillRows;
  return std::clamp(group_of(spec), kLeastDecodeRows, kFewerPrefillRows);
}

std::string bool_text(bool value) {
  return value ? "true" : "false";
}

Parameters problem_parameters(const AttentionSpec& spec) {
  const auto enum_text = [](std::string_view type, auto value) {
    return fmt::format("{}::{}", type, enum_name(value));
  };
  return {{"X", std::string(type_name(spec.dtype))},
          {"Kv", std::string(type_name(*spec.kv_dtype))},
          {"PageNumber", spec.index_dtype == i64 ? "long long" : "int"},
          {"kQueryHeads", fmt::to_string(spec.query_heads)},
          {"kKvHeads", fmt::to_string(spec.kv_heads)},
          {"kHeadDim", fmt::to_string(spec.head_dim)},
          {"kValueDim", fmt::to_string(spec.value_dim)},
          {"kRestDim", fmt::to_string(spec.rest_dim)},
          {"kValuesAreKeys", bool_text(spec.values_are_keys)},
          {"kKvScale", enum_text("AttentionScale", spec.kv_scale)},
          {"kStorage", enum_text("KvStorage", spec.storage)},
          {"kPageSize", fmt::to_string(spec.page_size)},
          {"kMask", enum_text("Mask", spec.mask)},
          {"kHasWindow", bool_text(spec.has_window)},
          {"kHasSoftCap", bool_text(spec.has_soft_cap)},
          {"kHasAlibi", bool_text(spec.has_alibi)},
          {"kHasSinks", bool_text(spec.has_sinks)},
          {"kStoreLse", bool_text(spec.store_lse)},
          {"kTileRows", fmt::to_string(tile_rows_of(spec))}};
}

/// Hooks and rotary embeddings.
void append_transforms(const AttentionSpec& spec, Parameters& parameters) {
  const auto flag = [&](const char* name, bool value) { parameters.emplace_back(name, bool_text(value)); };
  flag("kHasLogitsHook", !spec.hooks.logits.empty());
  flag("kHasMaskHook", !spec.hooks.mask.empty());
  flag("kHasQueryHook", !spec.hooks.query.empty());
  flag("kHasKeyHook", !spec.hooks.key.empty());
  flag("kHasOutputHook", !spec.hooks.output.empty());
  flag("kHasRope", spec.rope.has_value());
  std::vector<std::uint64_t> turns{0};
  if (spec.rope) turns = turns_per_position(*spec.rope, spec.head_dim);
  turns.resize((turns.size() + kWidestVector - 1) / kWidestVector * kWidestVector);
  parameters.emplace_back("kTurns", array_literal(turns));
  parameters.emplace_back(
      "kRopeFactor",
      fmt::format("static_cast<float>({:a})", spec.rope ? spec.rope->attention_factor.value_or(1.0) : 1.0));
}

}  // namespace

Result<RenderPlan> plan_attention_cpu(const AttentionSpec& spec, const Target&) {
  RenderPlan plan{.template_name = "cpu/attention.cpp",
                  .parameters = problem_parameters(spec),
                  .entries = {{"lathe_attention", {.work_per_block = tile_rows_of(spec)}},
                              {"lathe_attention_merge", {}}}};
  append_transforms(spec, plan.parameters);
  if (has_hooks(spec.hooks)) plan.extra_headers.push_back(attention_hooks_header(spec.hooks));
  return plan;
}

}  // namespace lathe::codegen
