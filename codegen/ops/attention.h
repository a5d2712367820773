// attention's row of the op table, and its plans per kind of target.
#pragma once

#include <lathe/attention.h>

#include "codegen/op.h"

namespace lathe::codegen {

Result<KernelSpec> normalize_attention(const KernelSpec& spec);
Result<RenderPlan> plan_attention(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_attention(const KernelSpec& spec, const LaunchSite& site, std::span<std::byte> args);
std::vector<Argument> arguments_of_attention(const KernelSpec& spec);

inline constexpr Op kAttentionOp{.name = "attention",
                                 .summary = "softmax(q k^T) v of a batch of requests, keys paged or not",
                                 .args_size = sizeof(AttentionArgs),
                                 .normalize = normalize_attention,
                                 .plan = plan_attention,
                                 .prepare = prepare_attention,
                                 .arguments = arguments_of_attention};

/// Keys that are handled together; splits begin and end at multiples of it.
inline constexpr std::int64_t kAttentionKeyTile = 64;

/// Query heads per key-value head.
inline std::int64_t group_of(const AttentionSpec& spec) {
  return spec.query_heads / spec.kv_heads;
}

/// Bytes of one partial result: a tile of rows, each value_dim floats and a log-sum-exp, for every key-value
/// head.
inline std::int64_t partial_bytes(const AttentionSpec& spec, std::int64_t tile_rows) {
  return spec.kv_heads * tile_rows * (spec.value_dim + 1) * static_cast<std::int64_t>(sizeof(float));
}

// One file each: attention_cuda.cpp, attention_cpu.cpp. REQUIRES: a normalized spec.
Result<RenderPlan> plan_attention_cuda(const AttentionSpec& spec, const Target& target);
Result<RenderPlan> plan_attention_cpu(const AttentionSpec& spec, const Target& target);

}  // namespace lathe::codegen
