// What a launch of attention is checked for, and how large its grids are.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/ops/attention.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error bad_argument(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = "attention: " + std::move(message),
          .hint = std::move(hint)};
}

Result<void> check_pointer(const char* name, const void* pointer, std::int64_t alignment) {
  if (pointer == nullptr)
    return bad_argument(fmt::format("{} is null", name), "the spec says that it is used");
  if (reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uint64_t>(alignment) != 0) {
    return bad_argument(fmt::format("{} is {}, not a multiple of {} bytes", name, pointer, alignment),
                        "give the spec the alignment that holds for all tensors and strides");
  }
  return {};
}

/// One stride: filled in if it is 0, else checked.
struct Stride {
  const char* name;
  Index* value;
  Index packed;
  DType dtype;
  bool is_used = true;  ///< false: the axis has one element, and frameworks put anything there
};

Result<void> resolve(const AttentionSpec& spec, const Stride& stride) {
  if (*stride.value == 0 || !stride.is_used) {
    *stride.value = stride.packed;
    return {};
  }
  if (*stride.value < 0) {
    return bad_argument(
        fmt::format("{} is {}, negative strides are not supported", stride.name, *stride.value));
  }
  const std::uint64_t bytes = static_cast<std::uint64_t>(*stride.value) * size_of(stride.dtype);
  if (bytes % static_cast<std::uint64_t>(spec.alignment) == 0) return {};
  return bad_argument(
      fmt::format("{} is {} elements of {} bytes, not a multiple of {} bytes", stride.name, *stride.value,
                  size_of(stride.dtype), spec.alignment),
      fmt::format("pad the rows, or compile the kernel with alignment={}", bytes & (~bytes + 1)));
}

/// The strides of k, k_rest or v: head, then token, then outer, each packed around the one before.
Result<void> resolve_kv(const AttentionSpec& spec, const char* name, Index* outer, Index* token, Index* head,
                        Index dim) {
  const DType dtype = spec.kv_dtype.value_or(spec.dtype);
  const Index heads = head == nullptr ? 1 : spec.kv_heads;
  const std::string text(name);
  Index single = dim;
  const std::string head_name = text + "_head_stride";
  const std::string token_name = text + "_token_stride";
  const std::string outer_name = text + "_outer_stride";
  LATHE_CHECK(resolve(spec, {head_name.c_str(), head == nullptr ? &single : head, dim, dtype, heads > 1}));
  LATHE_CHECK(resolve(spec, {token_name.c_str(), token, heads * dim, dtype}));
  if (spec.storage == KvStorage::ragged) return {};
  if (*outer == 0 && spec.storage == KvStorage::contiguous) {
    return bad_argument(fmt::format("{} is 0", outer_name),
                        "contiguous requests need the elements from one request's first key to the next's");
  }
  return resolve(spec, {outer_name.c_str(), outer, spec.page_size * *token, dtype});
}

Result<void> resolve_strides(const AttentionSpec& spec, AttentionArgs& args) {
  const Index key = spec.head_dim - spec.rest_dim;
  const bool has_heads = spec.query_heads > 1;
  const DType dtype = spec.dtype;
  const Stride strides[] = {
      {"q_head_stride", &args.q_head_stride, key, dtype, has_heads},
      {"q_token_stride", &args.q_token_stride, spec.query_heads * key, dtype},
      {"o_head_stride", &args.o_head_stride, spec.value_dim, dtype, has_heads},
      {"o_token_stride", &args.o_token_stride, spec.query_heads * spec.value_dim, dtype},
      {"q_rest_head_stride", &args.q_rest_head_stride, spec.rest_dim, dtype, has_heads},
      {"q_rest_token_stride", &args.q_rest_token_stride, spec.query_heads * spec.rest_dim, dtype}};
  for (const Stride& stride : std::span(strides).first(spec.rest_dim > 0 ? 6 : 4))
    LATHE_CHECK(resolve(spec, stride));
  LATHE_CHECK(resolve_kv(spec, "k", &args.k_outer_stride, &args.k_token_stride, &args.k_head_stride, key));
  if (spec.rest_dim > 0) {
    LATHE_CHECK(resolve_kv(spec, "k_rest", &args.k_rest_outer_stride, &args.k_rest_token_stride, nullptr,
                           spec.rest_dim));
  }
  if (spec.values_are_keys) return {};
  return resolve_kv(spec, "v", &args.v_outer_stride, &args.v_token_stride, &args.v_head_stride,
                    spec.value_dim);
}

Result<void> check_pointers(const AttentionSpec& spec, const AttentionArgs& args) {
  struct Pointer {
    const char* name;
    const void* value;
    std::int64_t alignment;
    bool is_used = true;
  };
  const std::int64_t wide = spec.alignment;
  // Tensors of 16-bit elements need their own alignment even where those of k and v are bytes.
  const std::int64_t query = std::max<std::int64_t>(wide, static_cast<std::int64_t>(size_of(spec.dtype)));
  const auto index = static_cast<std::int64_t>(size_of(spec.index_dtype));
  const Pointer pointers[] = {{"q", args.q, query},
                              {"q_rest", args.q_rest, query, spec.rest_dim > 0},
                              {"k", args.k, wide},
                              {"k_rest", args.k_rest, wide, spec.rest_dim > 0},
                              {"v", args.v, wide, !spec.values_are_keys},
                              {"o", args.o, query},
                              {"lse", args.lse, 4, spec.store_lse},
                              {"requests", args.requests, 8},
                              {"work", args.work, 4},
                              {"merges", args.merges, 4, args.merge_items > 0},
                              {"workspace", args.workspace, 16, args.slots > 0},
                              {"page_indices", args.page_indices, index, spec.storage == KvStorage::paged},
                              {"mask", args.mask, 1, spec.mask == AttentionMask::custom},
                              {"alibi_slopes", args.alibi_slopes, 4, spec.has_alibi},
                              {"sinks", args.sinks, 4, spec.has_sinks},
                              {"k_scale", args.k_scale, 4, spec.kv_scale != AttentionScale::none},
                              {"v_scale", args.v_scale, 4, spec.kv_scale != AttentionScale::none}};
  for (const Pointer& pointer : pointers) {
    if (pointer.is_used) LATHE_CHECK(check_pointer(pointer.name, pointer.value, pointer.alignment));
  }
  return {};
}

Result<void> check_scalars(const AttentionSpec& spec, AttentionArgs& args) {
  if (args.softmax_scale == 0.0f) args.softmax_scale = 1.0f / std::sqrt(static_cast<float>(spec.head_dim));
  if (!std::isfinite(args.softmax_scale)) {
    return bad_argument(fmt::format("softmax_scale is {}, it must be finite", args.softmax_scale),
                        "0 means 1 / sqrt(head_dim)");
  }
  if (spec.has_soft_cap && !(args.soft_cap > 0 && std::isfinite(args.soft_cap))) {
    return bad_argument(fmt::format("soft_cap is {}, it must be finite and greater than 0", args.soft_cap),
                        "compile the kernel without has_soft_cap to leave it out");
  }
  if (spec.has_window && args.window_left < 0) {
    return bad_argument(fmt::format("window_left is {}, it must not be negative", args.window_left),
                        "compile the kernel without has_window to see every key");
  }
  return {};
}

/// The plan's members.
Result<void> check_work(const AttentionSpec& spec, const LaunchSite& site, const AttentionArgs& args) {
  const std::int64_t most = 0x7FFFFFFF / spec.kv_heads;
  const EntryPoint& entry = site.entries.front();
  // An entry without a name is that of no kernel yet: then there is no plan either.
  if (!entry.name.empty() && args.tile_rows != entry.launch.work_per_block) {
    return bad_argument(
        fmt::format("tile_rows is {}, the kernel's tiles have {}: {}", args.tile_rows,
                    entry.launch.work_per_block,
                    args.tile_rows == 0 ? "there is no plan" : "the plan is another kernel's"),
        "make an AttentionPlan for this kernel and call apply");
  }
  if (args.work_items < 0 || args.work_items > most || args.merge_items < 0 || args.merge_items > most ||
      args.slots < 0 || args.slots > args.work_items) {
    return bad_argument(fmt::format("work_items is {}, merge_items {}, slots {}: not from a plan",
                                    args.work_items, args.merge_items, args.slots),
                        "make an AttentionPlan and call apply");
  }
  const std::int64_t needed = args.slots * partial_bytes(spec, entry.launch.work_per_block);
  if (args.workspace_bytes >= needed) return {};
  return bad_argument(fmt::format("workspace_bytes is {}, the plan needs {}", args.workspace_bytes, needed),
                      "allocate AttentionPlan::workspace_bytes()");
}

}  // namespace

Result<Grids> prepare_attention(const KernelSpec& any, const LaunchSite& site, std::span<std::byte> bytes) {
  const auto& spec = std::get<AttentionSpec>(any);
  auto& args = *reinterpret_cast<AttentionArgs*>(bytes.data());
  LATHE_CHECK(check_work(spec, site, args));
  if (args.work_items == 0) return Grids{};
  LATHE_CHECK(check_scalars(spec, args));
  LATHE_CHECK(resolve_strides(spec, args));
  LATHE_CHECK(check_pointers(spec, args));
  return Grids{Grid{.x = static_cast<std::uint64_t>(args.work_items * spec.kv_heads)},
               Grid{.x = static_cast<std::uint64_t>(args.merge_items * spec.kv_heads)}};
}

}  // namespace lathe::codegen
