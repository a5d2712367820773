// attention_merge's row of the op table.
#pragma once

#include <lathe/attention_merge.h>

#include "codegen/op.h"

namespace lathe::codegen {

Result<KernelSpec> normalize_attention_merge(const KernelSpec& spec);
Result<RenderPlan> plan_attention_merge(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_attention_merge(const KernelSpec& spec, const LaunchSite& site,
                                      std::span<std::byte> args);
std::vector<Argument> arguments_of_attention_merge(const KernelSpec& spec);

inline constexpr Op kAttentionMergeOp{.name = "attention_merge",
                                      .summary = "merge partial results of attention by their log-sum-exp",
                                      .args_size = sizeof(AttentionMergeArgs),
                                      .normalize = normalize_attention_merge,
                                      .plan = plan_attention_merge,
                                      .prepare = prepare_attention_merge,
                                      .arguments = arguments_of_attention_merge};

}  // namespace lathe::codegen
