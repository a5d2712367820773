#include "runtime/plan/attention_room.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "codegen/ops/attention.h"
#include "runtime/base/try.h"

namespace lathe::runtime {

namespace {

constexpr std::int64_t kMostCounted = std::numeric_limits<int>::max();

Error bad_room(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = "attention plan: " + std::move(message),
          .hint = std::move(hint)};
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

Result<AttentionLimits> checked(AttentionLimits limits) {
  for (const auto& [name, limit] :
       {std::pair{"requests", limits.requests}, std::pair{"queries", limits.queries},
        std::pair{"keys", limits.keys}, std::pair{"request_queries", limits.request_queries}}) {
    if (limit >= 0 && limit <= kMostCounted) continue;
    return bad_room(fmt::format("the limit {} is {}, allowed are 0 to {}", name, limit, kMostCounted));
  }
  if (limits.all_keys < 0) return bad_room(fmt::format("the limit all_keys is {}", limits.all_keys));
  if (limits.request_queries == 0) limits.request_queries = limits.queries;
  const std::int64_t together = limits.requests * limits.keys;
  limits.all_keys = limits.all_keys == 0 ? together : std::min(together, limits.all_keys);
  return limits;
}

/// Tiles of rows, of one request and of all.
struct TileCount {
  std::int64_t of_request;
  std::int64_t of_all;
};

TileCount tiles_of(const AttentionSpec& spec, const AttentionTiling& tiling, const AttentionLimits& limits) {
  const std::int64_t group = codegen::group_of(spec);
  const std::int64_t rows = tiling.tile_rows;
  // Each request may leave the last of its tiles all but empty.
  const std::int64_t empty = rows - std::gcd(group, rows);
  const std::int64_t requests = std::min(limits.requests, limits.queries);
  if (requests == 0) return {0, 0};
  const std::int64_t of_request = divide_up(std::min(limits.request_queries, limits.queries) * group, rows);
  const std::int64_t of_all = (limits.queries * group + requests * empty) / rows;
  return {of_request, of_request == 0 ? 0 : std::min(of_all, requests * of_request)};
}

/// Every tile is cut into parts of as many keys.
AttentionRoom room_of_fixed_split(const TileCount& tiles, const AttentionLimits& limits, std::int64_t split) {
  // Of a request of n keys, each tile has floor((n - 1) / split) parts besides the first.
  const std::int64_t each = std::max<std::int64_t>(0, limits.keys - 1) / split;
  std::int64_t besides = tiles.of_all * each;
  const std::int64_t together = limits.all_keys / split;
  if (together <= kMostCounted) besides = std::min(besides, tiles.of_request * together);
  const std::int64_t merges = std::min(tiles.of_all, besides);
  return {.work_items = tiles.of_all + besides, .merge_items = merges, .splits = merges + besides};
}

/// Tiles are cut so that they fill the device.
AttentionRoom room_of_shares(const TileCount& tiles, const AttentionLimits& limits, std::int64_t at_once) {
  const std::int64_t each = divide_up(limits.keys, kMinAttentionSplit);
  if (each <= 1) return {.work_items = tiles.of_all};
  // Fewer tiles than run at once become as many parts at most. Of more, some are cut, each of more than two
  // shares: fewer than half as many as run at once, into parts of a share or less in the end.
  const bool may_be_more = tiles.of_all >= at_once;
  const std::int64_t items = may_be_more ? tiles.of_all + at_once : at_once;
  const std::int64_t splits = may_be_more ? at_once + at_once / 2 : at_once;
  return {.work_items = std::min(items, tiles.of_all * each),
          .merge_items = std::min(tiles.of_all, at_once / 2),
          .splits = std::min(splits, tiles.of_all * each)};
}

}  // namespace

Result<AttentionRoom> attention_room(const AttentionSpec& spec, const AttentionTiling& tiling,
                                     const AttentionLimits& given, const AttentionPlanOptions& options) {
  LATHE_CHECK(check_attention_split(options));
  LATHE_TRY(const AttentionLimits limits, checked(given));
  const TileCount tiles = tiles_of(spec, tiling, limits);
  const std::int64_t most = most_attention_items(spec);
  AttentionRoom room{.work_items = tiles.of_all};
  if (tiles.of_all <= most && options.may_split) {
    room = options.fixed_split > 0 ? room_of_fixed_split(tiles, limits, options.fixed_split)
                                   : room_of_shares(tiles, limits, attention_tiles_at_once(spec, tiling));
  }
  if (room.work_items > most) {
    return bad_room(fmt::format("the limits ask for {} work items, at most {} can be", room.work_items, most),
                    "lower them, or launch batches in parts; a larger fixed_split needs fewer");
  }
  room.requests = limits.requests;
  return room;
}

AttentionRoom room_of(const AttentionWorkList& list) {
  return {.requests = static_cast<std::int64_t>(list.requests.size()),
          .work_items = static_cast<std::int64_t>(list.work.size()),
          .merge_items = static_cast<std::int64_t>(list.merges.size()),
          .splits = list.slots};
}

Result<void> check_room(const AttentionSpec& spec, const AttentionRoom& needed, const AttentionRoom& room) {
  struct Row {
    const char* name;
    std::int64_t needs;
    std::int64_t has;
  };
  const std::int64_t most = most_attention_items(spec);
  for (const Row& row : {Row{"requests", needed.requests, room.requests},
                         Row{"work_items", needed.work_items, room.work_items},
                         Row{"merge_items", needed.merge_items, room.merge_items},
                         Row{"splits", needed.splits, room.splits}}) {
    if (row.has > most) {
      return bad_room(fmt::format("room.{} is {}, allowed are 0 to {}", row.name, row.has, most),
                      "a grid has 2^31 - 1 blocks, one for each item and key-value head");
    }
    if (row.needs > row.has) {
      return bad_room(fmt::format("the batch takes {} {}, the room has {}", row.needs, row.name, row.has),
                      "make the room with AttentionPlan::room_for, from limits that every batch keeps, and "
                      "capture the launch anew");
    }
  }
  if (room.splits <= room.work_items) return {};
  return bad_room(
      fmt::format("room.splits is {}, more than room.work_items, which is {}", room.splits, room.work_items),
      "each partial result is one work item's; make the room with AttentionPlan::room_for");
}

}  // namespace lathe::runtime
