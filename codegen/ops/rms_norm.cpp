#include "codegen/ops/rms_norm.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "codegen/field_check.h"
#include "codegen/ops/rms_norm_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error bad_spec(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = "rms_norm: " + std::move(message),
          .hint = std::move(hint)};
}

/// The largest power of two, up to 16, that divides a packed row's bytes.
std::int64_t packed_alignment(const RmsNormSpec& spec) {
  const auto bytes = static_cast<std::uint64_t>(spec.hidden_size) * size_of(spec.dtype);
  return std::int64_t{1} << std::min(4, std::countr_zero(bytes));
}

Result<void> resolve_alignment(RmsNormSpec& spec) {
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  if (spec.alignment == 0) spec.alignment = packed_alignment(spec);
  if (spec.alignment < element) {
    return bad_spec(fmt::format("alignment is {} bytes, less than an element of {}, which has {}",
                                spec.alignment, name_of(spec.dtype), element),
                    "leave alignment out to have what tightly packed rows give");
  }
  return {};
}

Result<void> resolve_weight(RmsNormSpec& spec) {
  // Kernels compute in fp32, so offsets that are one float are one kernel; and -0 is 0.
  spec.weight_offset = static_cast<double>(static_cast<float>(spec.weight_offset)) + 0.0;
  if (!spec.has_weight) {
    if (spec.weight_dtype && *spec.weight_dtype != spec.dtype) {
      return bad_spec(fmt::format("weight_dtype is {}, but has_weight is false", name_of(*spec.weight_dtype)),
                      "leave weight_dtype out");
    }
    if (spec.weight_offset != 0) {
      return bad_spec(fmt::format("weight_offset is {}, but has_weight is false", spec.weight_offset),
                      "leave weight_offset out");
    }
  }
  if (!spec.weight_dtype) spec.weight_dtype = spec.dtype;
  return {};
}

}  // namespace

Result<KernelSpec> normalize_rms_norm(const KernelSpec& given) {
  RmsNormSpec spec = std::get<RmsNormSpec>(given);
  LATHE_CHECK(check_fields(spec));
  LATHE_CHECK(resolve_weight(spec));
  LATHE_CHECK(resolve_alignment(spec));
  return KernelSpec(spec);
}

Result<RenderPlan> plan_rms_norm(const KernelSpec& spec, const Target& target) {
  const auto& norm = std::get<RmsNormSpec>(spec);
  return target.backend == Backend::cpu ? plan_rms_norm_cpu(norm, target) : plan_rms_norm_cuda(norm, target);
}

}  // namespace lathe::codegen
