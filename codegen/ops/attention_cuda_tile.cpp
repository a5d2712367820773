#include "codegen/ops/attention_cuda_tile.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "codegen/ops/attention.h"

namespace lathe::codegen {

namespace {

/// Of a multiprocessor, beside what blocks ask for: the hardware keeps this much of each block's for itself.
constexpr std::int64_t kReservedBytes = 1024;
/// Columns of o that a warp's registers hold for each 16 rows.
constexpr std::int64_t kMostColumns = 256;

std::int64_t round_up(std::int64_t n, std::int64_t step) {
  return (n + step - 1) / step * step;
}

std::int64_t stored_bytes(const AttentionSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.kv_dtype.value_or(spec.dtype)));
}

bool transforms_keys(const AttentionSpec& spec) {
  return spec.rope.has_value() || !spec.hooks.key.empty();
}

/// Whether keys are multiplied as they are stored, and values are a part of them.
bool shares_tile(const AttentionSpec& spec) {
  return spec.values_are_keys && !transforms_keys(spec);
}

std::int64_t place_bytes(const AttentionSpec& spec, const AttentionTile& tile) {
  if (spec.storage != KvStorage::paged) return 0;
  const std::int64_t kinds = 1 + (spec.values_are_keys ? 0 : 1) + (spec.rest_dim > 0 ? 1 : 0);
  return std::max(3, tile.stages + 1) * kinds * tile.keys * 8;
}

/// Tiles of keys and values, in whatever form.
std::int64_t ring_bytes(const AttentionSpec& spec, const AttentionTile& tile) {
  const std::int64_t converted =
      tile.keys * (round_up(spec.head_dim, 16) + (shares_tile(spec) ? 0 : round_up(spec.value_dim, 16))) * 2;
  if (!stages_keys(spec)) return tile.stages * converted;
  const std::int64_t raw = round_up(spec.head_dim * stored_bytes(spec), 16) +
                           (spec.values_are_keys ? 0 : round_up(spec.value_dim * stored_bytes(spec), 16));
  return converted + tile.stages * tile.keys * raw;
}

/// The most blocks per multiprocessor, and of those the deepest ring, first.
std::optional<AttentionTile> deepest(const AttentionSpec& spec, const CudaArch& arch, AttentionTile tile,
                                     std::initializer_list<int> depths) {
  const std::int64_t most = arch.max_dynamic_shared_bytes;
  // A tile that is keys and values both is in use until the end of its turn: the next needs another place.
  const int least = shares_tile(spec) && !stages_keys(spec) ? 2 : 1;
  for (const std::int64_t blocks : {2, 1}) {
    for (const int stages : depths) {
      if (stages < least) continue;
      tile.stages = stages;
      const std::int64_t bytes = shared_bytes(spec, tile);
      if (bytes <= most && blocks * (bytes + kReservedBytes) <= most + kReservedBytes) return tile;
    }
  }
  return {};
}

AttentionTile first_that_fits(const AttentionSpec& spec, const CudaArch& arch,
                              std::initializer_list<AttentionTile> tiles, std::initializer_list<int> depths) {
  for (const AttentionTile& tile : tiles) {
    if (const auto fits = deepest(spec, arch, tile, depths)) return *fits;
  }
  AttentionTile smallest = *(tiles.end() - 1);  // which does not fit either
  smallest.stages = *(depths.end() - 1);
  return smallest;
}

/// Values too wide for one warp: two share out the columns.
AttentionTile wide_tile(const AttentionSpec& spec, const CudaArch& arch) {
  const bool few = spec.phase == AttentionPhase::decode && group_of(spec) <= 16;
  const AttentionTile one{.row_warps = 1, .column_warps = 4, .keys = 64};
  const AttentionTile four{.row_warps = 4, .column_warps = 2, .keys = 64};
  const auto with_keys = [](AttentionTile tile, int keys) {
    tile.keys = keys;
    return tile;
  };
  const AttentionTile two{.row_warps = 2, .column_warps = 2, .keys = 32};
  const AttentionTile last{.row_warps = 1, .column_warps = 2, .keys = 16};
  if (few) return first_that_fits(spec, arch, {one, with_keys(one, 32), last}, {3, 2});
  return first_that_fits(spec, arch, {four, with_keys(four, 32), two, one, with_keys(one, 32), last}, {2});
}

AttentionTile decode_tile(const AttentionSpec& spec, const CudaArch& arch) {
  const AttentionTile tile{
      .row_fragments = group_of(spec) <= 16 ? 1 : 2, .row_warps = 1, .key_warps = 4, .keys = 64};
  AttentionTile narrow = tile;
  narrow.key_warps = 2;
  narrow.keys = 32;
  AttentionTile last = narrow;
  last.key_warps = 1;
  last.keys = 16;
  return first_that_fits(spec, arch, {tile, narrow, last}, {4, 3, 2, 1});
}

/// Beside what every kernel does: what costs a thread registers while it holds logits and sums.
bool does_more_than_multiply(const AttentionSpec& spec) {
  const AttentionHooks& hooks = spec.hooks;
  return stages_keys(spec) || spec.has_soft_cap || spec.has_alibi || spec.has_window ||
         spec.mask == AttentionMask::custom || !hooks.logits.empty() || !hooks.mask.empty() ||
         !hooks.query.empty() || spec.alignment < 16 || spec.head_dim % 16 != 0 || spec.value_dim % 16 != 0;
}

AttentionTile prefill_tile(const AttentionSpec& spec, const CudaArch& arch) {
  // 32 rows of 128 columns are as many registers as 16 rows of 256.
  const AttentionTile narrow{.row_fragments = 2, .row_warps = 4, .keys = 64};
  const AttentionTile wide{.row_fragments = 1, .row_warps = 4, .keys = 64};
  AttentionTile narrow_short = narrow;
  narrow_short.keys = 32;
  AttentionTile wide_short = wide;
  wide_short.keys = 32;
  const AttentionTile last{.row_fragments = 1, .row_warps = 2, .keys = 16};
  // Of the widest sums and logits of 64 keys a thread holds all that it can: with more it would spill.
  const bool is_full = round_up(spec.value_dim, 16) * (spec.value_dim <= 128 ? 2 : 1) > kMostColumns - 64;
  const bool is_short = is_full && does_more_than_multiply(spec);
  if (spec.value_dim > 128) {
    return first_that_fits(spec, arch, {is_short ? wide_short : wide, wide_short, last}, {2, 1});
  }
  return first_that_fits(spec, arch, {is_short ? narrow_short : narrow, wide, wide_short, last}, {2, 1});
}

}  // namespace

bool stages_keys(const AttentionSpec& spec) {
  return stored_bytes(spec) != 2 || transforms_keys(spec);
}

std::int64_t shared_bytes(const AttentionSpec& spec, const AttentionTile& tile) {
  const std::int64_t queries = tile.rows() * round_up(spec.head_dim, 16) * 2;
  const std::int64_t exchanged =
      tile.column_warps > 1 ? tile.rows() * (tile.keys * 2 + tile.column_warps * 4) : 0;
  const std::int64_t loop = queries + ring_bytes(spec, tile) + place_bytes(spec, tile) + exchanged;
  const std::int64_t sums = tile.key_warps * tile.rows() * (round_up(spec.value_dim, 16) + 8) * 4;
  const std::int64_t statistics = tile.key_warps * tile.column_warps * tile.rows() * 8;
  return std::max(loop, sums) + statistics;
}

AttentionTile attention_tile(const AttentionSpec& spec, const CudaArch& arch) {
  if (spec.value_dim > kMostColumns) return wide_tile(spec, arch);
  // More rows than 32 are better shared out among the warps.
  const std::int64_t most_rows = spec.value_dim <= 128 ? 32 : 16;
  if (spec.phase == AttentionPhase::decode && group_of(spec) <= most_rows) return decode_tile(spec, arch);
  return prefill_tile(spec, arch);
}

}  // namespace lathe::codegen
