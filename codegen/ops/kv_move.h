// The rows of kv_gather and kv_scatter in the op table, and what their parts share. Both are one kernel.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <lathe/kv_move.h>

#include "codegen/op.h"

namespace lathe::codegen {

/// Either spec, whatever its direction: references to its members.
struct KvMove {
  template <KvDirection d>
  explicit KvMove(const KvMoveSpec<d>& spec)
      : direction(d),
        src(spec.src),
        dst(spec.dst),
        src_index(spec.src_index),
        dst_index(spec.dst_index),
        segments(spec.segments),
        rotation(spec.rotation),
        planes(spec.planes),
        heads(spec.heads),
        negative(spec.negative),
        bounds(spec.bounds),
        duplicates(spec.duplicates) {}

  KvDirection direction;
  const std::vector<KvView>& src;
  const std::vector<KvView>& dst;
  const KvIndex& src_index;
  const KvIndex& dst_index;
  const std::vector<KvSegment>& segments;
  const KvRotation& rotation;
  std::int64_t planes;
  std::int64_t heads;
  KvBadIndex negative;
  KvBadIndex bounds;
  KvDuplicates duplicates;

  std::string_view name() const { return direction == KvDirection::gather ? "kv_gather" : "kv_scatter"; }
  bool has_checks() const {
    return negative == KvBadIndex::report || bounds == KvBadIndex::report ||
           duplicates == KvDuplicates::report;
  }
};

/// REQUIRES: a kv_gather or kv_scatter.
KvMove kv_move_of(const KernelSpec& spec);

Result<KernelSpec> normalize_kv_gather(const KernelSpec& spec);
Result<KernelSpec> normalize_kv_scatter(const KernelSpec& spec);
Result<RenderPlan> plan_kv_move(const KernelSpec& spec, const Target& target);
Result<Grids> prepare_kv_move(const KernelSpec& spec, const LaunchSite& site, std::span<std::byte> args);
Result<std::size_t> kv_move_workspace_bytes(const KernelSpec& spec, const LaunchSite& site,
                                            std::span<const std::byte> args);
std::vector<Argument> arguments_of_kv_move(const KernelSpec& spec);

inline constexpr Op kKvGatherOp{.name = "kv_gather",
                                .summary = "rows of a paged key-value cache into an object of another layout",
                                .args_size = sizeof(KvMoveArgs),
                                .normalize = normalize_kv_gather,
                                .plan = plan_kv_move,
                                .prepare = prepare_kv_move,
                                .arguments = arguments_of_kv_move,
                                .workspace_bytes = kv_move_workspace_bytes};
inline constexpr Op kKvScatterOp{.name = "kv_scatter",
                                 .summary = "rows of an object into a paged key-value cache",
                                 .args_size = sizeof(KvMoveArgs),
                                 .normalize = normalize_kv_scatter,
                                 .plan = plan_kv_move,
                                 .prepare = prepare_kv_move,
                                 .arguments = arguments_of_kv_move,
                                 .workspace_bytes = kv_move_workspace_bytes};

}  // namespace lathe::codegen
