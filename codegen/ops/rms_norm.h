// rms_norm's row of the op table, and its plans per kind of target.
#pragma once

#include <lathe/rms_norm.h>

#include "codegen/op.h"

namespace lathe::codegen {

Result<KernelSpec> normalize_rms_norm(const KernelSpec& spec);
Result<RenderPlan> plan_rms_norm(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_rms_norm(const KernelSpec& spec, const LaunchSite& site, std::span<std::byte> args);
Result<std::size_t> workspace_bytes_of_rms_norm(const KernelSpec& spec, const LaunchSite& site,
                                                std::span<const std::byte> args);
std::vector<Argument> arguments_of_rms_norm(const KernelSpec& spec);

inline constexpr Op kRmsNormOp{.name = "rms_norm",
                               .summary = "root mean square normalisation of rows, with fused residual add",
                               .args_size = sizeof(RmsNormArgs),
                               .normalize = normalize_rms_norm,
                               .plan = plan_rms_norm,
                               .prepare = prepare_rms_norm,
                               .arguments = arguments_of_rms_norm,
                               .workspace_bytes = workspace_bytes_of_rms_norm};

/// Whether launches make scales of their own, from largest magnitudes.
constexpr bool makes_scale(const RmsNormSpec& spec) {
  return spec.y_scale != OutputScale::none && spec.y_scale != OutputScale::given;
}

/// Scales per row.
constexpr std::int64_t scale_blocks(const RmsNormSpec& spec) {
  return spec.y_scale == OutputScale::per_block ? (spec.hidden_size + 127) / 128 : 1;
}

// One file each: rms_norm_cuda.cpp, rms_norm_cpu.cpp. REQUIRES: a normalized spec.
Result<RenderPlan> plan_rms_norm_cuda(const RmsNormSpec& spec, const Target& target);
Result<RenderPlan> plan_rms_norm_cpu(const RmsNormSpec& spec, const Target& target);

}  // namespace lathe::codegen
