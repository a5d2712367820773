// rms_norm_backward's row of the op table, and its plans per kind of target.
#pragma once

#include <lathe/rms_norm_backward.h>

#include "codegen/op.h"

namespace lathe::codegen {

Result<KernelSpec> normalize_rms_norm_backward(const KernelSpec& spec);
Result<RenderPlan> plan_rms_norm_backward(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_rms_norm_backward(const KernelSpec& spec, const LaunchSite& site,
                                        std::span<std::byte> args);
Result<std::size_t> workspace_bytes_of_rms_norm_backward(const KernelSpec& spec, const LaunchSite& site,
                                                         std::span<const std::byte> args);
std::vector<Argument> arguments_of_rms_norm_backward(const KernelSpec& spec);

inline constexpr Op kRmsNormBackwardOp{.name = "rms_norm_backward",
                                       .summary = "gradients of rms_norm and of its weight",
                                       .args_size = sizeof(RmsNormBackwardArgs),
                                       .normalize = normalize_rms_norm_backward,
                                       .plan = plan_rms_norm_backward,
                                       .prepare = prepare_rms_norm_backward,
                                       .arguments = arguments_of_rms_norm_backward,
                                       .workspace_bytes = workspace_bytes_of_rms_norm_backward};

/// Floats between the partial dw of two strips: whole vectors of any CPU.
constexpr std::int64_t partial_stride_on_cpu(const RmsNormBackwardSpec& spec) {
  return (spec.hidden_size + 31) / 32 * 32;
}

// Entries, in order: with rows done by columns one that makes each row's sums; dx and partial dw; with dw,
// its sum. One file each: rms_norm_backward_cuda.cpp, rms_norm_backward_cpu.cpp. REQUIRES: a normalized spec.
Result<RenderPlan> plan_rms_norm_backward_cuda(const RmsNormBackwardSpec& spec, const Target& target);
Result<RenderPlan> plan_rms_norm_backward_cpu(const RmsNormBackwardSpec& spec, const Target& target);

}  // namespace lathe::codegen
