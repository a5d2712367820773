#include "codegen/ops/rope.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "codegen/field_check.h"
#include "codegen/ops/rope_fields.h"
#include "codegen/ops/rope_frequencies.h"
#include "codegen/ops/rope_tensors.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error bad_spec(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = "rope: " + std::move(message),
          .hint = std::move(hint)};
}

Result<void> resolve_geometry(RopeSpec& spec) {
  if (spec.heads == 0 && spec.kv_heads == 0)
    return bad_spec("heads and kv_heads are both 0", "give the number of query heads, of key heads, or both");
  const std::int64_t behind = spec.head_dim - spec.rotary_offset;
  if (behind < 2) {
    return bad_spec(fmt::format("rotary_offset is {}, but head_dim is {}", spec.rotary_offset, spec.head_dim),
                    "at least one pair must lie behind it");
  }
  // An odd element at the end is nobody's partner.
  if (spec.rotary_dim == 0) spec.rotary_dim = behind / 2 * 2;
  if (spec.rotary_dim % 2 != 0)
    return bad_spec(fmt::format("rotary_dim is {}, allowed are even numbers", spec.rotary_dim));
  if (spec.rotary_dim > behind) {
    return bad_spec(fmt::format("rotary_dim is {}, but only {} elements of {} lie behind rotary_offset",
                                spec.rotary_dim, behind, spec.head_dim));
  }
  if (spec.heads == 0 && spec.q_nope_dim != 0)
    return bad_spec(fmt::format("q_nope_dim is {}, but heads is 0", spec.q_nope_dim));
  if (spec.kv_heads == 0 && spec.k_nope_dim != 0)
    return bad_spec(fmt::format("k_nope_dim is {}, but kv_heads is 0", spec.k_nope_dim));
  return {};
}

Result<void> check_result_dtype(const char* name, DType result, DType dtype) {
  if (result == dtype || result == e4m3 || result == e5m2) return {};
  return bad_spec(fmt::format("{} is {}, but dtype is {}", name, name_of(result), name_of(dtype)),
                  fmt::format("results are {}, e4m3 or e5m2", name_of(dtype)));
}

Result<void> resolve_angles(RopeSpec& spec) {
  if (spec.table_dtype) {
    if (spec.frequencies != RopeFrequencies{}) {
      return bad_spec(
          fmt::format("table_dtype is {}, but frequencies are given too", name_of(*spec.table_dtype)),
          "a table holds cosines and sines; leave one of the two out");
    }
  } else {
    LATHE_TRY(spec.frequencies,
              normalize_frequencies(spec.frequencies, spec.rotary_dim, "rope: frequencies."));
  }
  if (spec.sections.empty()) {
    if (spec.section_order != RopeSections::consecutive)
      return bad_spec("section_order is interleaved, but there are no sections");
    return {};
  }
  const std::int64_t pairs = std::accumulate(spec.sections.begin(), spec.sections.end(), std::int64_t{0});
  if (pairs != spec.rotary_dim / 2) {
    return bad_spec(fmt::format("sections have {} pairs, but rotary_dim is {}", pairs, spec.rotary_dim),
                    fmt::format("their sum is rotary_dim / 2, {}", spec.rotary_dim / 2));
  }
  if (spec.sections.size() > 1 && spec.positions != RopePositions::ids) {
    return bad_spec(fmt::format("positions is {}, but a token with sections has several positions",
                                enum_name(spec.positions)),
                    "give them by id");
  }
  // One section is none.
  if (spec.sections.size() == 1) spec.sections.clear();
  if (spec.sections.empty()) spec.section_order = RopeSections::consecutive;
  return {};
}

Result<void> resolve_norm(RopeSpec& spec) {
  spec.norm_weight_offset = static_cast<double>(static_cast<float>(spec.norm_weight_offset)) + 0.0;
  const RopeSpec unset;
  if (!spec.qk_norm) {
    const bool is_changed = spec.norm_has_weight != unset.norm_has_weight ||
                            (spec.norm_weight_dtype && *spec.norm_weight_dtype != spec.dtype) ||
                            spec.norm_weight_offset != 0 || spec.norm_casting != unset.norm_casting;
    if (is_changed)
      return bad_spec("the norm is described, but qk_norm is false", "set qk_norm, or leave norm_* out");
  } else if (spec.inverse) {
    return bad_spec("qk_norm and inverse are both true", "only the rotation can be turned back");
  } else if (!spec.norm_has_weight && ((spec.norm_weight_dtype && *spec.norm_weight_dtype != spec.dtype) ||
                                       spec.norm_weight_offset != 0)) {
    return bad_spec("the norm's weight is described, but norm_has_weight is false",
                    "leave norm_weight_dtype and norm_weight_offset out");
  }
  if (!spec.norm_weight_dtype) spec.norm_weight_dtype = spec.dtype;
  return {};
}

Result<void> resolve_append(RopeSpec& spec) {
  const RopeSpec unset;
  if (spec.append != RopeAppend::none) {
    if (spec.kv_heads == 0)
      return bad_spec(fmt::format("append is {}, but kv_heads is 0", enum_name(spec.append)),
                      "there is no k to append");
    if (!spec.cache_dtype) spec.cache_dtype = spec.dtype;
    return check_result_dtype("cache_dtype", *spec.cache_dtype, spec.dtype);
  }
  const bool is_changed = spec.store_k || spec.v_dim != 0 || spec.page_size != unset.page_size ||
                          spec.slot_dtype != unset.slot_dtype ||
                          (spec.cache_dtype && *spec.cache_dtype != spec.dtype);
  if (is_changed) {
    return bad_spec("a cache is described, but append is none",
                    "set append, or leave store_k, v_dim, page_size, slot_dtype and cache_dtype out");
  }
  spec.cache_dtype = spec.dtype;
  return {};
}

/// The largest power of two, up to 16, that divides the bytes of every packed row of inputs.
std::int64_t packed_alignment(const RopeSpec& spec) {
  std::uint64_t bytes = 16;
  for (const RopeTensor& tensor : rope_tensors(spec)) {
    if (tensor.exists && tensor.role == RopeTensor::Role::input)
      bytes |= static_cast<std::uint64_t>(tensor.dim) * size_of(tensor.dtype);
  }
  return std::int64_t{1} << std::countr_zero(bytes);
}

Result<void> resolve_alignment(RopeSpec& spec) {
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  if (spec.alignment == 0) spec.alignment = packed_alignment(spec);
  if (spec.alignment < element) {
    return bad_spec(fmt::format("alignment is {} bytes, less than an element of {}, which has {}",
                                spec.alignment, name_of(spec.dtype), element),
                    "leave alignment out to have what tightly packed rows give");
  }
  return {};
}

}  // namespace

Result<KernelSpec> normalize_rope(const KernelSpec& given) {
  RopeSpec spec = std::get<RopeSpec>(given);
  LATHE_CHECK(check_fields(spec));
  LATHE_CHECK(resolve_geometry(spec));
  if (!spec.out_dtype) spec.out_dtype = spec.dtype;
  LATHE_CHECK(check_result_dtype("out_dtype", *spec.out_dtype, spec.dtype));
  LATHE_CHECK(resolve_angles(spec));
  LATHE_CHECK(resolve_norm(spec));
  LATHE_CHECK(resolve_append(spec));
  LATHE_CHECK(resolve_alignment(spec));
  return KernelSpec(spec);
}

Result<RenderPlan> plan_rope(const KernelSpec& spec, const Target& target) {
  const auto& rope = std::get<RopeSpec>(spec);
  return target.backend == Backend::cpu ? plan_rope_cpu(rope, target) : plan_rope_cuda(rope, target);
}

}  // namespace lathe::codegen
