// What the specs of rms_norm and rms_norm_backward have in common: checks, and fields that are resolved the
// same way.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <lathe/dtype.h>
#include <lathe/error.h>

namespace lathe::codegen {

inline Error bad_spec(std::string_view op, std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = fmt::format("{}: {}", op, message),
          .hint = std::move(hint)};
}

/// Unset: the largest power of two, up to 16, that divides a packed row's bytes.
template <class Spec>
Result<void> resolve_alignment(std::string_view op, Spec& spec) {
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  if (spec.alignment == 0) {
    const auto bytes = static_cast<std::uint64_t>(spec.hidden_size * element);
    spec.alignment = std::int64_t{1} << std::min(4, std::countr_zero(bytes));
  }
  if (spec.alignment < element) {
    return bad_spec(op,
                    fmt::format("alignment is {} bytes, less than an element of {}, which has {}",
                                spec.alignment, name_of(spec.dtype), element),
                    "leave alignment out to have what tightly packed rows give");
  }
  return {};
}

template <class Spec>
Result<void> resolve_weight(std::string_view op, Spec& spec) {
  // Kernels compute in fp32, so offsets that are one float are one kernel; and -0 is 0.
  spec.weight_offset = static_cast<double>(static_cast<float>(spec.weight_offset)) + 0.0;
  if (!spec.has_weight) {
    if (spec.weight_dtype && *spec.weight_dtype != spec.dtype) {
      return bad_spec(op,
                      fmt::format("weight_dtype is {}, but has_weight is false", name_of(*spec.weight_dtype)),
                      "leave weight_dtype out");
    }
    if (spec.weight_per_head) {
      return bad_spec(op, "weight_per_head is true, but has_weight is false", "leave weight_per_head out");
    }
    if (spec.weight_offset != 0) {
      return bad_spec(op, fmt::format("weight_offset is {}, but has_weight is false", spec.weight_offset),
                      "leave weight_offset out");
    }
  }
  if (!spec.weight_dtype) spec.weight_dtype = spec.dtype;
  if (spec.heads == 1) spec.weight_per_head = false;
  return {};
}

/// Elements per access: what the proven alignment allows and what divides a row, so that no access reaches
/// beyond it.
template <class Spec>
std::int64_t pack_of(const Spec& spec) {
  std::int64_t pack = spec.alignment / static_cast<std::int64_t>(size_of(spec.dtype));
  while (spec.hidden_size % pack != 0) pack /= 2;
  return pack;
}

}  // namespace lathe::codegen
