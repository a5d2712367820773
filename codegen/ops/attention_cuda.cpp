// How attention is rendered for NVIDIA GPUs.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "codegen/ops/attention.h"
#include "codegen/ops/attention_cuda_tile.h"
#include "codegen/ops/attention_hooks.h"
#include "codegen/ops/rope_frequencies.h"
#include "codegen/spec_fields.h"

namespace lathe::codegen {

namespace {

constexpr unsigned kMergeThreads = 256;

std::string_view type_name(DType dtype) {
  return dtype == f16 ? "F16" : dtype == bf16 ? "Bf16" : dtype == e4m3 ? "E4m3" : "E5m2";
}

template <class Enum>
std::string enum_text(std::string_view type, Enum value) {
  return fmt::format("{}::{}", type, EnumNames<Enum>::names[static_cast<std::size_t>(value)]);
}

std::string bool_text(bool value) {
  return value ? "true" : "false";
}

/// Bytes per access to k and v: units of 8 elements, or 16 bytes where all rows are made of such.
std::int64_t key_copy_bytes(const AttentionSpec& spec) {
  const auto bytes = static_cast<std::int64_t>(size_of(spec.kv_dtype.value_or(spec.dtype)));
  const std::int64_t dims =
      (spec.head_dim - spec.rest_dim) | spec.rest_dim | (spec.values_are_keys ? 0 : spec.value_dim);
  return std::min<std::int64_t>(spec.alignment, dims * bytes % 16 == 0 ? 16 : 8);
}

void append_problem(const AttentionSpec& spec, Parameters& parameters) {
  const auto number = [&](const char* name, std::int64_t value) {
    parameters.emplace_back(name, fmt::to_string(value));
  };
  const auto flag = [&](const char* name, bool value) { parameters.emplace_back(name, bool_text(value)); };
  parameters.emplace_back("Element", type_name(spec.dtype));
  parameters.emplace_back("Stored", type_name(spec.kv_dtype.value_or(spec.dtype)));
  parameters.emplace_back("PageIndex", spec.index_dtype == i64 ? "long long" : "int");
  number("kKvHeads", spec.kv_heads);
  number("kGroup", group_of(spec));
  number("kHeadDim", spec.head_dim);
  number("kRestDim", spec.rest_dim);
  number("kValueDim", spec.value_dim);
  flag("kValuesAreKeys", spec.values_are_keys);
  parameters.emplace_back("kStorage", enum_text("KvStorage", spec.storage));
  number("kPageSize", std::max<std::int64_t>(spec.page_size, 1));
  parameters.emplace_back("kKvScale", enum_text("AttentionScale", spec.kv_scale));
  parameters.emplace_back("kMask", enum_text("Mask", spec.mask));
  flag("kHasWindow", spec.has_window);
  flag("kHasSoftCap", spec.has_soft_cap);
  flag("kHasAlibi", spec.has_alibi);
  flag("kHasSinks", spec.has_sinks);
  flag("kStoreLse", spec.store_lse);
  flag("kHasLogitsHook", !spec.hooks.logits.empty());
  flag("kHasMaskHook", !spec.hooks.mask.empty());
  flag("kHasQueryHook", !spec.hooks.query.empty());
  flag("kHasKeyHook", !spec.hooks.key.empty());
  flag("kHasOutputHook", !spec.hooks.output.empty());
  number("kQueryCopyBytes", std::clamp<std::int64_t>(spec.alignment, 2, 16));
  number("kKeyCopyBytes", key_copy_bytes(spec));
}

void append_rotation(const AttentionSpec& spec, Parameters& parameters) {
  parameters.emplace_back("kHasRope", bool_text(spec.rope.has_value()));
  parameters.emplace_back(
      "kRopeFactor",
      fmt::format("static_cast<float>({:a})", spec.rope ? spec.rope->attention_factor.value_or(1.0) : 1.0));
  parameters.emplace_back("kTurns",
                          spec.rope ? array_literal(turns_per_position(*spec.rope, spec.head_dim)) : "{0}");
}

void append_tile(const AttentionSpec& spec, const AttentionTile& tile, Parameters& parameters) {
  parameters.emplace_back("kRowFragments", fmt::to_string(tile.row_fragments));
  parameters.emplace_back("kRowWarps", fmt::to_string(tile.row_warps));
  parameters.emplace_back("kKeyWarps", fmt::to_string(tile.key_warps));
  parameters.emplace_back("kColumnWarps", fmt::to_string(tile.column_warps));
  parameters.emplace_back("kKeyTile", fmt::to_string(tile.keys));
  parameters.emplace_back("kStages", fmt::to_string(tile.stages));
  parameters.emplace_back("kSharedBytes", fmt::to_string(shared_bytes(spec, tile)));
}

Error unsupported(std::string message, std::string hint) {
  return {.code = ErrorCode::unsupported,
          .stage = Stage::render,
          .message = "attention: " + std::move(message),
          .hint = std::move(hint)};
}

}  // namespace

Result<RenderPlan> plan_attention_cuda(const AttentionSpec& spec, const Target& target) {
  const CudaArch* arch = find_cuda_arch(target.arch);
  if (arch == nullptr) {
    return unsupported(fmt::format("{} is not an architecture that Lathe knows", target.text()),
                       fmt::format("known architectures are {}", cuda_arch_names()));
  }
  const AttentionTile tile = attention_tile(spec, *arch);
  if (shared_bytes(spec, tile) > static_cast<std::int64_t>(arch->max_dynamic_shared_bytes)) {
    return unsupported(
        fmt::format("head_dim {} takes {} bytes of shared memory at least, and {} has {}", spec.head_dim,
                    shared_bytes(spec, tile), target.arch, arch->max_dynamic_shared_bytes),
        "leave the key hook and rope out, which hold keys twice, or choose smaller heads");
  }
  RenderPlan plan{
      .template_name = "cuda/attention.cu",
      .parameters = {},
      .entries = {{"lathe_attention",
                   {.block = {static_cast<unsigned>(tile.threads())},
                    .dynamic_shared_bytes = static_cast<unsigned>(shared_bytes(spec, tile)),
                    .work_per_block = tile.rows()}},
                  {"lathe_attention_merge", {.block = {kMergeThreads}, .work_per_block = tile.rows()}}}};
  append_problem(spec, plan.parameters);
  append_rotation(spec, plan.parameters);
  append_tile(spec, tile, plan.parameters);
  if (has_hooks(spec.hooks)) plan.extra_headers.push_back(attention_hooks_header(spec.hooks));
  return plan;
}

}  // namespace lathe::codegen
