// rms_norm's row of the op table, and its plans per kind of target.
#pragma once

#include <lathe/rms_norm.h>

#include "codegen/op.h"

namespace lathe::codegen {

Result<KernelSpec> normalize_rms_norm(const KernelSpec& spec);
Result<RenderPlan> plan_rms_norm(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_rms_norm(const KernelSpec& spec, const LaunchSite& site, std::span<std::byte> args);
std::vector<Argument> arguments_of_rms_norm(const KernelSpec& spec);

inline constexpr Op kRmsNormOp{.name = "rms_norm",
                               .summary = "root mean square normalisation of rows, with fused residual add",
                               .args_size = sizeof(RmsNormArgs),
                               .normalize = normalize_rms_norm,
                               .plan = plan_rms_norm,
                               .prepare = prepare_rms_norm,
                               .arguments = arguments_of_rms_norm};

// One file each: rms_norm_cuda.cpp, rms_norm_cpu.cpp. REQUIRES: a normalized spec.
Result<RenderPlan> plan_rms_norm_cuda(const RmsNormSpec& spec, const Target& target);
Result<RenderPlan> plan_rms_norm_cpu(const RmsNormSpec& spec, const Target& target);

}  // namespace lathe::codegen
