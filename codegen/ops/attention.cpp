#include "codegen/ops/attention.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "codegen/field_check.h"
#include "codegen/ops/attention_fields.h"
#include "codegen/ops/rope_frequencies.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error bad_spec(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = "attention: " + std::move(message),
          .hint = std::move(hint)};
}

Result<void> check_heads(const AttentionSpec& spec) {
  if (spec.query_heads % spec.kv_heads == 0) return {};
  return bad_spec(fmt::format("query_heads is {}, not a multiple of kv_heads, which is {}", spec.query_heads,
                              spec.kv_heads),
                  "every key-value head serves the same number of query heads");
}

bool is_dim(std::int64_t dim, std::int64_t mla) {
  return dim == mla || (dim >= 32 && dim <= 256 && dim % 8 == 0);
}

Result<void> resolve_dims(AttentionSpec& spec) {
  if (!is_dim(spec.head_dim, 576)) {
    return bad_spec(
        fmt::format("head_dim is {}, allowed are multiples of 8 from 32 to 256, and 576", spec.head_dim));
  }
  if (spec.value_dim == 0) spec.value_dim = spec.head_dim;
  if (!is_dim(spec.value_dim, 512)) {
    return bad_spec(
        fmt::format("value_dim is {}, allowed are multiples of 8 from 32 to 256, and 512", spec.value_dim),
        spec.head_dim == 576 ? "with head_dim 576, value_dim is usually 512" : "");
  }
  if (spec.rest_dim % 8 != 0 || spec.rest_dim >= spec.head_dim) {
    return bad_spec(fmt::format("rest_dim is {}, allowed are multiples of 8 below head_dim, which is {}",
                                spec.rest_dim, spec.head_dim));
  }
  if (spec.values_are_keys && spec.value_dim > spec.head_dim - spec.rest_dim) {
    return bad_spec(
        fmt::format("value_dim is {}, but k has {} elements per head (head_dim - rest_dim), of "
                    "which values_are_keys takes the first",
                    spec.value_dim, spec.head_dim - spec.rest_dim));
  }
  return {};
}

Result<void> resolve_storage(AttentionSpec& spec) {
  if (spec.storage == KvStorage::paged && spec.page_size == 0) {
    return bad_spec("storage is paged, but page_size is not given", "for example \"page_size\": 16");
  }
  if (spec.storage != KvStorage::paged && spec.page_size != 0) {
    return bad_spec(
        fmt::format("page_size is {}, but storage is {}", spec.page_size, enum_name(spec.storage)),
        "leave page_size out, or make storage paged");
  }
  if (!spec.kv_dtype) spec.kv_dtype = spec.dtype;
  const bool is_fp8 = *spec.kv_dtype == e4m3 || *spec.kv_dtype == e5m2;
  if (!is_fp8 && *spec.kv_dtype != spec.dtype) {
    return bad_spec(fmt::format("kv_dtype is {}, dtype is {}: allowed are dtype, e4m3 and e5m2",
                                name_of(*spec.kv_dtype), name_of(spec.dtype)));
  }
  return {};
}

/// The largest power of two, up to 16, that divides a packed row of every tensor.
std::int64_t packed_alignment(const AttentionSpec& spec) {
  const auto kv = static_cast<std::int64_t>(size_of(*spec.kv_dtype));
  const auto q = static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t key = spec.head_dim - spec.rest_dim;
  const std::int64_t bytes = (key * kv) | (spec.rest_dim * kv) | (spec.value_dim * kv) | (key * q) |
                             (spec.rest_dim * q) | (spec.value_dim * q);
  return std::int64_t{1} << std::min(4, std::countr_zero(static_cast<std::uint64_t>(bytes)));
}

Result<void> resolve_alignment(AttentionSpec& spec) {
  const auto element = static_cast<std::int64_t>(size_of(*spec.kv_dtype));
  if (spec.alignment == 0) spec.alignment = packed_alignment(spec);
  if (spec.alignment >= element) return {};
  return bad_spec(fmt::format("alignment is {} bytes, less than an element of {}, which has {}",
                              spec.alignment, name_of(*spec.kv_dtype), element),
                  "leave alignment out to have what tightly packed rows give");
}

Result<void> resolve_rope(AttentionSpec& spec) {
  if (!spec.rope) return {};
  if (spec.rest_dim > 0) {
    return bad_spec("rope is given, and rest_dim is not 0",
                    "rotate q_rest and k_rest beforehand with the op rope");
  }
  LATHE_TRY(spec.rope, normalize_frequencies(*spec.rope, spec.head_dim, "attention"));
  return {};
}

}  // namespace

Result<KernelSpec> normalize_attention(const KernelSpec& given) {
  AttentionSpec spec = std::get<AttentionSpec>(given);
  LATHE_CHECK(check_fields(spec));
  LATHE_CHECK(check_heads(spec));
  LATHE_CHECK(resolve_dims(spec));
  LATHE_CHECK(resolve_storage(spec));
  LATHE_CHECK(resolve_alignment(spec));
  LATHE_CHECK(resolve_rope(spec));
  return KernelSpec(spec);
}

Result<RenderPlan> plan_attention(const KernelSpec& spec, const Target& target) {
  const auto& attention = std::get<AttentionSpec>(spec);
  return target.backend == Backend::cpu ? plan_attention_cpu(attention, target)
                                        : plan_attention_cuda(attention, target);
}

}  // namespace lathe::codegen
