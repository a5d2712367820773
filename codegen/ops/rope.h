// rope's row of the op table, and its plans per kind of target.
#pragma once

#include <lathe/rope.h>

#include "codegen/op.h"

namespace lathe::codegen {

Result<KernelSpec> normalize_rope(const KernelSpec& spec);
Result<RenderPlan> plan_rope(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_rope(const KernelSpec& spec, const LaunchSite& site, std::span<std::byte> args);
std::vector<Argument> arguments_of_rope(const KernelSpec& spec);

inline constexpr Op kRopeOp{
    .name = "rope",
    .summary = "rotary embedding of queries and keys, with norm, fp8 and cache append",
    .args_size = sizeof(RopeArgs),
    .normalize = normalize_rope,
    .plan = plan_rope,
    .prepare = prepare_rope,
    .arguments = arguments_of_rope};

// One file each: rope_cuda.cpp, rope_cpu.cpp. REQUIRES: a normalized spec.
Result<RenderPlan> plan_rope_cuda(const RopeSpec& spec, const Target& target);
Result<RenderPlan> plan_rope_cpu(const RopeSpec& spec, const Target& target);

}  // namespace lathe::codegen
