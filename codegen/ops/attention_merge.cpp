#include "codegen/ops/attention_merge.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "codegen/field_check.h"
#include "codegen/ops/attention_merge_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::int64_t kThreads = 128;

Error error_of(ErrorCode code, Stage stage, const std::string& message, std::string hint = {}) {
  return {.code = code, .stage = stage, .message = "attention_merge: " + message, .hint = std::move(hint)};
}

std::string_view type_name(DType dtype) {
  return dtype == f32 ? "F32" : dtype == f16 ? "F16" : "Bf16";
}

/// Elements per access: packed rows are as aligned as their size makes them.
std::int64_t pack_of(const AttentionMergeSpec& spec) {
  const auto widest = static_cast<std::int64_t>(std::max(size_of(spec.dtype), size_of(*spec.part_dtype)));
  std::int64_t pack = 16 / widest;
  while (spec.value_dim % pack != 0) pack /= 2;
  return pack;
}

}  // namespace

Result<KernelSpec> normalize_attention_merge(const KernelSpec& given) {
  AttentionMergeSpec spec = std::get<AttentionMergeSpec>(given);
  LATHE_CHECK(check_fields(spec));
  if (!spec.part_dtype) spec.part_dtype = spec.dtype;
  if (spec.has_mask && spec.form != MergeForm::two) {
    return error_of(ErrorCode::invalid_spec, Stage::validate,
                    fmt::format("has_mask is true, but form is {}", enum_name(spec.form)),
                    "a mask says whose second part counts; leave parts out by an lse of -infinity");
  }
  return KernelSpec(spec);
}

Result<RenderPlan> plan_attention_merge(const KernelSpec& any, const Target& target) {
  const auto& spec = std::get<AttentionMergeSpec>(any);
  const bool is_cpu = target.backend == Backend::cpu;
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  const std::int64_t pack = pack_of(spec);
  RenderPlan plan{.template_name = is_cpu ? "cpu/attention_merge.cpp" : "cuda/attention_merge.cu",
                  .parameters = {{"Part", std::string(type_name(*spec.part_dtype))},
                                 {"Result", std::string(type_name(spec.dtype))},
                                 {"PartIndex", spec.index_dtype == i64 ? "long long" : "int"},
                                 {"kHeads", fmt::to_string(spec.heads)},
                                 {"kValueDim", fmt::to_string(spec.value_dim)},
                                 {"kForm", fmt::format("MergeForm::{}", enum_name(spec.form))},
                                 {"kHasMask", flag(spec.has_mask)},
                                 {"kStoreLse", flag(spec.store_lse)}},
                  .entries = {}};
  if (is_cpu) {
    // Enough rows that handing them to a thread costs nothing.
    const std::int64_t rows = std::clamp<std::int64_t>(16384 / spec.value_dim, 16, 4096);
    plan.entries = {{"lathe_attention_merge", {.work_per_block = rows}}};
    plan.parameters.emplace_back("kRowsPerBlock", fmt::to_string(rows));
    return plan;
  }
  const auto lanes = static_cast<std::int64_t>(
      std::min<std::uint64_t>(32, std::bit_ceil(static_cast<std::uint64_t>(spec.value_dim / pack))));
  plan.entries = {{"lathe_attention_merge", {.block = {kThreads}, .work_per_block = kThreads / lanes}}};
  plan.parameters.emplace_back("kPack", fmt::to_string(pack));
  plan.parameters.emplace_back("kLanes", fmt::to_string(lanes));
  plan.parameters.emplace_back("kThreads", fmt::to_string(kThreads));
  return plan;
}

namespace {

Result<void> check_pointers(const AttentionMergeSpec& spec, const AttentionMergeArgs& args) {
  struct Pointer {
    const char* name;
    const void* value;
    std::size_t alignment;
    bool is_used = true;
  };
  const bool is_two = spec.form == MergeForm::two;
  const auto pack = static_cast<std::size_t>(pack_of(spec));
  const std::size_t part = pack * size_of(*spec.part_dtype);
  const Pointer pointers[] = {
      {"o_parts", args.o_parts, part},
      {"lse_parts", args.lse_parts, 4},
      {"o_other", args.o_other, part, is_two},
      {"lse_other", args.lse_other, 4, is_two},
      {"indptr", args.indptr, size_of(spec.index_dtype), spec.form == MergeForm::ragged},
      {"mask", args.mask, 1, spec.has_mask},
      {"o", args.o, pack * size_of(spec.dtype)},
      {"lse", args.lse, 4, spec.store_lse}};
  for (const Pointer& pointer : pointers) {
    if (!pointer.is_used) continue;
    if (pointer.value == nullptr) {
      return error_of(ErrorCode::invalid_argument, Stage::launch, fmt::format("{} is null", pointer.name),
                      "the spec says that it is used");
    }
    if (reinterpret_cast<std::uintptr_t>(pointer.value) % pointer.alignment != 0) {
      return error_of(ErrorCode::invalid_argument, Stage::launch,
                      fmt::format("{} is {}, not a multiple of {} bytes", pointer.name, pointer.value,
                                  pointer.alignment));
    }
  }
  const bool is_in_place = args.o == args.o_parts || args.o == args.o_other;
  if (is_in_place && (!is_two || args.o == args.o_other || spec.dtype != *spec.part_dtype)) {
    return error_of(ErrorCode::invalid_argument, Stage::launch, "o is one of the parts",
                    "in place o may be o_parts, where there are two parts of its dtype");
  }
  // A row of lse is written while other blocks read the parts of theirs.
  if (spec.store_lse && (args.lse == args.lse_parts ? !is_two : is_two && args.lse == args.lse_other)) {
    return error_of(ErrorCode::invalid_argument, Stage::launch, "lse is one of the parts",
                    "in place lse may be lse_parts, where there are two parts");
  }
  return {};
}

}  // namespace

Result<Grids> prepare_attention_merge(const KernelSpec& any, const LaunchSite& site,
                                      std::span<std::byte> bytes) {
  const auto& spec = std::get<AttentionMergeSpec>(any);
  const auto& args = *reinterpret_cast<const AttentionMergeArgs*>(bytes.data());
  constexpr Index kMaxTokens = Index{1} << 40;
  if (args.tokens < 0 || args.tokens > kMaxTokens) {
    return error_of(ErrorCode::invalid_argument, Stage::launch,
                    fmt::format("tokens is {}, allowed are 0 to 2^40", args.tokens));
  }
  if (spec.form == MergeForm::stacked && (args.parts < 1 || args.parts > kMaxTokens)) {
    return error_of(ErrorCode::invalid_argument, Stage::launch,
                    fmt::format("parts is {}, allowed are 1 to 2^40", args.parts));
  }
  if (args.tokens == 0) return Grids{};
  LATHE_CHECK(check_pointers(spec, args));
  const LaunchFacts& launch = site.entries.front().launch;
  const Index units = args.tokens * spec.heads;
  const Index blocks = (units + launch.work_per_block - 1) / launch.work_per_block;
  if (blocks > 0x7FFFFFFF) {
    return error_of(
        ErrorCode::invalid_argument, Stage::launch,
        fmt::format("tokens is {}, {} blocks, more than a grid of 2^31 - 1 takes", args.tokens, blocks),
        "launch it in parts");
  }
  return Grids{Grid{.x = static_cast<std::uint64_t>(blocks)}};
}

std::vector<Argument> arguments_of_attention_merge(const KernelSpec& any) {
  const auto& spec = std::get<AttentionMergeSpec>(any);
  using A = AttentionMergeArgs;
  using enum ArgumentKind;
  const DType stored = spec.part_dtype.value_or(spec.dtype);
  std::vector<Extent> rows{{0, "tokens"}};
  if (spec.form == MergeForm::stacked) rows.push_back({0, "parts"});
  if (spec.form == MergeForm::ragged) rows = {{0, "all_parts"}};
  rows.push_back({spec.heads});
  std::vector<Extent> elements = rows;
  elements.push_back({spec.value_dim});
  std::vector<Argument> arguments{{"o_parts", input, stored, offsetof(A, o_parts), elements, "the parts"},
                                  {"lse_parts", input, f32, offsetof(A, lse_parts), rows, "base 2"}};
  if (spec.form == MergeForm::two) {
    arguments.push_back({"o_other", input, stored, offsetof(A, o_other), elements, "the second part"});
    arguments.push_back({"lse_other", input, f32, offsetof(A, lse_other), rows, "base 2"});
  }
  if (spec.form == MergeForm::ragged) {
    arguments.push_back({"indptr",
                         input,
                         spec.index_dtype,
                         offsetof(A, indptr),
                         {{0, "indptr_entries"}},
                         "where each token's parts begin, and the end of the last"});
  }
  if (spec.has_mask) {
    arguments.push_back(
        {"mask", input, u8, offsetof(A, mask), {{0, "tokens"}}, "0: the first part is the result"});
  }
  arguments.push_back({"o",
                       output,
                       spec.dtype,
                       offsetof(A, o),
                       {{0, "tokens"}, {spec.heads}, {spec.value_dim}},
                       "the result"});
  if (spec.store_lse) {
    arguments.push_back({"lse", output, f32, offsetof(A, lse), {{0, "tokens"}, {spec.heads}}, "base 2"});
  }
  arguments.push_back({"tokens", scalar, i64, offsetof(A, tokens), {}, "rows of o", false});
  if (spec.form == MergeForm::stacked)
    arguments.push_back({"parts", scalar, i64, offsetof(A, parts), {}, "per token", false});
  return arguments;
}

}  // namespace lathe::codegen
