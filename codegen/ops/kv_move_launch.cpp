// What a launch of kv_gather or kv_scatter is checked for, and how large its grids are.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <fmt/format.h>

#include "codegen/ops/kv_launch.h"
#include "codegen/ops/kv_move.h"
#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_tiling.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr Index kMaxTokens = Index{1} << 46;  // beyond any memory
constexpr Index kMaxGrid = 0x7FFFFFFF;

Result<void> check_counts(const KvMove& move, const KvMoveArgs& args) {
  if (args.tokens < 0 || args.tokens > kMaxTokens) {
    return bad_kv_argument(move, fmt::format("tokens is {}, allowed are 0 to 2^46", args.tokens));
  }
  if (args.first_token < 0) {
    return bad_kv_argument(move,
                           fmt::format("first_token is {}, tokens are counted from 0", args.first_token));
  }
  if (args.max_blocks < 0) {
    return bad_kv_argument(move, fmt::format("max_blocks is {}, it must not be negative", args.max_blocks),
                           "0 means as many as there is work for");
  }
  constexpr Index kMaxClaims = Index{1} << 31;
  if (move.duplicates != KvDuplicates::unchecked && args.tokens >= kMaxClaims) {
    return bad_kv_argument(
        move, fmt::format("tokens is {}, with duplicates settled less than 2^31 are allowed", args.tokens),
        "launch it in parts, or promise with duplicates=unchecked that there are none");
  }
  return {};
}

/// `count` of them from `first` on exist.
Result<void> check_range(const KvMove& move, const char* side, const char* what, Index first, Index count,
                         Index extent) {
  if (first >= 0 && count <= extent && first <= extent - count) return {};
  return bad_kv_argument(
      move, fmt::format("{} {}s from {} on are moved, but {}[0] has {}", count, what, first, side, extent),
      fmt::format("{}_first_{} and the number that is moved do not fit", side, what));
}

Result<void> check_ranges(const KvMove& move, KvMoveArgs& args) {
  const KvView& src = move.src[0];
  const KvView& dst = move.dst[0];
  if (args.layers == 0 && src.layers != dst.layers) {
    return bad_kv_argument(
        move, fmt::format("layers is 0, but src[0] has {} and dst[0] {}", src.layers, dst.layers),
        "say how many are moved, and with src_first_layer and dst_first_layer which");
  }
  if (args.layers < 0) {
    return bad_kv_argument(move, fmt::format("layers is {}, it must not be negative", args.layers));
  }
  if (args.layers == 0) args.layers = src.layers;
  LATHE_CHECK(check_range(move, "src", "layer", args.src_first_layer, args.layers, src.layers));
  LATHE_CHECK(check_range(move, "dst", "layer", args.dst_first_layer, args.layers, dst.layers));
  LATHE_CHECK(check_range(move, "src", "plane", args.src_first_plane, move.planes, src.planes));
  LATHE_CHECK(check_range(move, "dst", "plane", args.dst_first_plane, move.planes, dst.planes));
  LATHE_CHECK(check_range(move, "src", "head", args.src_first_head, move.heads, src.heads));
  return check_range(move, "dst", "head", args.dst_first_head, move.heads, dst.heads);
}

Result<void> check_scales(const KvMove& move, const KvMoveArgs& args) {
  for (const KvSegment& segment : move.segments) {
    for (const KvScale* scale : {&segment.src_scale, &segment.dst_scale}) {
      if (scale->kind != KvScaleKind::table) continue;
      const void* table = args.scales[scale->table];
      if (table == nullptr || reinterpret_cast<std::uintptr_t>(table) % sizeof(float) != 0) {
        return bad_kv_argument(
            move, fmt::format("scales[{}] is {}, a segment reads floats from it", scale->table, table));
      }
    }
  }
  const std::size_t position_size = size_of(move.rotation.position_dtype);
  for (const void* positions : {args.old_positions, args.new_positions}) {
    if (move.rotation.dim == 0 || reinterpret_cast<std::uintptr_t>(positions) % position_size == 0) continue;
    return bad_kv_argument(
        move, fmt::format("positions at {} are not at a multiple of the {} bytes of {}", positions,
                          position_size, name_of(move.rotation.position_dtype)));
  }
  if (move.has_checks() && args.status == nullptr) {
    return bad_kv_argument(move, "status is null, and a policy of the spec is report",
                           "give it an int that the kernel can write, set to 0");
  }
  if (move.has_checks() && reinterpret_cast<std::uintptr_t>(args.status) % sizeof(int) != 0) {
    return bad_kv_argument(move, fmt::format("status is {}, not a multiple of {} bytes",
                                             static_cast<const void*>(args.status), sizeof(int)));
  }
  return {};
}

Result<void> check_workspace(const KvMove& move, const KvMoveArgs& args) {
  if (move.duplicates == KvDuplicates::unchecked) return {};
  Index needed = 0;
  if (__builtin_mul_overflow(args.dst_slots, static_cast<Index>(sizeof(int)), &needed)) {
    return bad_kv_argument(
        move, fmt::format("dst has {} slots, more than a workspace could tell apart", args.dst_slots),
        "see the blocks of its views");
  }
  if (reinterpret_cast<std::uintptr_t>(args.workspace) % sizeof(int) != 0) {
    return bad_kv_argument(
        move, fmt::format("workspace is {}, not a multiple of {} bytes", args.workspace, sizeof(int)));
  }
  if (args.workspace != nullptr && args.workspace_bytes >= needed) return {};
  return bad_kv_argument(
      move,
      fmt::format("the workspace has {} bytes, {} are needed",
                  args.workspace == nullptr ? 0 : args.workspace_bytes, needed),
      "ask Kernel::workspace_bytes, or promise with duplicates=unchecked that no slot is named twice");
}

std::uint64_t divide_up(Index a, Index b) {
  return static_cast<std::uint64_t>((a + b - 1) / b);
}

}  // namespace

Result<Grids> prepare_kv_move(const KernelSpec& spec, const LaunchSite& site, std::span<std::byte> bytes) {
  const KvMove move = kv_move_of(spec);
  auto& args = *reinterpret_cast<KvMoveArgs*>(bytes.data());
  LATHE_CHECK(check_counts(move, args));
  const Index tokens = args.tokens - args.first_token;
  if (tokens <= 0) return Grids{};
  LATHE_CHECK(check_ranges(move, args));
  LATHE_CHECK(resolve_kv_sides(move, args));
  LATHE_CHECK(check_scales(move, args));
  LATHE_CHECK(check_workspace(move, args));
  const auto blocks_of = [&](std::size_t entry) {
    return divide_up(tokens, site.entries[entry].launch.work_per_block);
  };
  const std::size_t last = site.entries.size() - 1;
  const auto groups = static_cast<Index>(blocks_of(last));
  Index tiles = 0;
  if (__builtin_mul_overflow(groups, args.layers * move.planes * parts_per_token(move), &tiles)) {
    return bad_kv_argument(
        move, fmt::format("{} tokens of {} layers are more than one launch takes", tokens, args.layers),
        "launch it in parts");
  }
  const Index most = args.max_blocks > 0 ? std::min(args.max_blocks, kMaxGrid) : kMaxGrid;
  Grids grids{};
  for (std::size_t i = 0; i < last; ++i) {
    grids[i].x = std::min(blocks_of(i), static_cast<std::uint64_t>(most));
  }
  grids[last].x = static_cast<std::uint64_t>(std::min(tiles, most));
  return grids;
}

Result<std::size_t> kv_move_workspace_bytes(const KernelSpec& spec, const LaunchSite&,
                                            std::span<const std::byte> bytes) {
  const KvMove move = kv_move_of(spec);
  if (move.duplicates == KvDuplicates::unchecked) return std::size_t{0};
  KvMoveArgs args = *reinterpret_cast<const KvMoveArgs*>(bytes.data());
  LATHE_TRY(const Index slots, kv_destination_slots(move, args));
  return static_cast<std::size_t>(slots) * sizeof(int);
}

}  // namespace lathe::codegen
