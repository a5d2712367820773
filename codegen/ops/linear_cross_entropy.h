// linear_cross_entropy's row of the op table, and its plans per kind of target.
#pragma once

#include <lathe/linear_cross_entropy.h>

#include "codegen/op.h"

namespace lathe::codegen {

Result<KernelSpec> normalize_linear_cross_entropy(const KernelSpec& spec);
Result<RenderPlan> plan_linear_cross_entropy(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_linear_cross_entropy(const KernelSpec& spec, const LaunchSite& site,
                                           std::span<std::byte> args);
bool next_round_of_linear_cross_entropy(const KernelSpec& spec, const LaunchSite& site,
                                        std::span<std::byte> args, Grids& grids);
Result<std::size_t> workspace_bytes_of_linear_cross_entropy(const KernelSpec& spec, const LaunchSite& site,
                                                            std::span<const std::byte> args);
std::vector<Argument> arguments_of_linear_cross_entropy(const KernelSpec& spec);

inline constexpr Op kLinearCrossEntropyOp{
    .name = "linear_cross_entropy",
    .summary = "loss of hidden x weight^T against targets, and its gradients, without storing the logits",
    .args_size = sizeof(LinearCrossEntropyArgs),
    .normalize = normalize_linear_cross_entropy,
    .plan = plan_linear_cross_entropy,
    .prepare = prepare_linear_cross_entropy,
    .arguments = arguments_of_linear_cross_entropy,
    .workspace_bytes = workspace_bytes_of_linear_cross_entropy,
    .next_round = next_round_of_linear_cross_entropy};

/// What the templates of both kinds of target share.
Parameters common_linear_cross_entropy_parameters(const LinearCrossEntropySpec& spec);

// One file each: linear_cross_entropy_cuda.cpp, linear_cross_entropy_cpu.cpp. REQUIRES: a normalized spec.
Result<RenderPlan> plan_linear_cross_entropy_cuda(const LinearCrossEntropySpec& spec, const Target& target);
Result<RenderPlan> plan_linear_cross_entropy_cpu(const LinearCrossEntropySpec& spec, const Target& target);

}  // namespace lathe::codegen
