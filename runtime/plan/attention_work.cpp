#include "runtime/plan/attention_work.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "codegen/ops/attention.h"
#include "runtime/base/try.h"

namespace lathe::runtime {

namespace {

using codegen::kAttentionKeyTile;

/// Blocks that a multiprocessor runs at a time: splits aim at filling that.
constexpr std::int64_t kBlocksPerProcessor = 2;
constexpr std::int64_t kMostRows = std::numeric_limits<int>::max() - 1024;

Error bad_batch(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = "attention plan: " + std::move(message),
          .hint = std::move(hint)};
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

Result<void> check_sizes(const AttentionSpec& spec, const AttentionBatch& batch) {
  const std::size_t requests = batch.kv_lengths.size();
  if (batch.query_indptr.size() != requests + 1) {
    return bad_batch(fmt::format("query_indptr has {} entries, expected {}, one more than kv_lengths",
                                 batch.query_indptr.size(), requests + 1),
                     "it holds where each request begins, and the end of the last");
  }
  if (requests > static_cast<std::size_t>(kMostRows)) return bad_batch("more than 2^31 requests");
  if (spec.storage != KvStorage::contiguous && batch.kv_indptr.size() != requests &&
      batch.kv_indptr.size() != requests + 1) {
    return bad_batch(fmt::format("kv_indptr has {} entries, expected {} or {}", batch.kv_indptr.size(),
                                 requests, requests + 1),
                     spec.storage == KvStorage::paged
                         ? "it holds the place of each request's first page in page_indices"
                         : "it holds each request's first token in k and v");
  }
  if (spec.has_window && batch.window_left < 0) {
    return bad_batch(fmt::format("window_left is {}, and the spec has a window", batch.window_left),
                     "give the batch a window_left of 0 or more; apply() puts it into the arguments");
  }
  return {};
}

Result<AttentionRequest> request_of(const AttentionSpec& spec, const AttentionBatch& batch, std::size_t i) {
  const std::int64_t begin = batch.query_indptr[i];
  const std::int64_t queries = batch.query_indptr[i + 1] - begin;
  const std::int64_t keys = batch.kv_lengths[i];
  if (begin < 0 || queries < 0) {
    return bad_batch(fmt::format("query_indptr[{}] is {}, query_indptr[{}] is {}: it must not descend", i,
                                 begin, i + 1, batch.query_indptr[i + 1]));
  }
  if (queries > kMostRows / codegen::group_of(spec)) {
    return bad_batch(fmt::format("request {} has {} queries, at most {} can be", i, queries,
                                 kMostRows / codegen::group_of(spec)));
  }
  if (keys < 0 || keys > kMostRows) {
    return bad_batch(fmt::format("kv_lengths[{}] is {}, allowed are 0 to {}", i, keys, kMostRows));
  }
  AttentionRequest request{
      .query_begin = begin, .query_length = static_cast<int>(queries), .kv_length = static_cast<int>(keys)};
  request.kv_begin =
      spec.storage == KvStorage::contiguous ? static_cast<Index>(i) : static_cast<Index>(batch.kv_indptr[i]);
  if (request.kv_begin < 0) return bad_batch(fmt::format("kv_indptr[{}] is {}", i, request.kv_begin));
  if (spec.storage == KvStorage::ragged && i + 1 < batch.kv_indptr.size() &&
      batch.kv_indptr[i + 1] - batch.kv_indptr[i] < keys) {
    return bad_batch(fmt::format("request {} has {} keys, but kv_indptr leaves it {}", i, keys,
                                 batch.kv_indptr[i + 1] - batch.kv_indptr[i]));
  }
  if (spec.storage == KvStorage::paged && i + 1 < batch.kv_indptr.size()) {
    const std::int64_t pages = batch.kv_indptr[i + 1] - batch.kv_indptr[i];
    const std::int64_t needed = divide_up(keys, spec.page_size);
    if (pages < needed) {
      return bad_batch(fmt::format("request {} has {} keys, which need {} pages of {}, and {} are listed", i,
                                   keys, needed, spec.page_size, pages),
                       "page_indices must list every page up to the last key");
    }
  }
  return request;
}

/// Tiles of rows and the keys that they see, each once.
class Tiles {
 public:
  Tiles(const AttentionSpec& spec, const AttentionTiling& tiling, std::int64_t window_left)
      : spec_(spec), tile_rows_(tiling.tile_rows), window_left_(spec.has_window ? window_left : -1) {}

  void add(int number, const AttentionRequest& request) {
    const std::int64_t group = codegen::group_of(spec_);
    const std::int64_t rows = request.query_length * group;
    for (std::int64_t row = 0; row < rows; row += tile_rows_) {
      const std::int64_t last_row = std::min(row + tile_rows_, rows) - 1;
      AttentionWork tile{.request = number, .row_begin = static_cast<int>(row)};
      see(request, row / group, last_row / group, tile);
      tiles.push_back(tile);
    }
  }

  std::vector<AttentionWork> tiles;

 private:
  /// The keys from the first that the first query sees to the last that the last one sees.
  void see(const AttentionRequest& request, std::int64_t first, std::int64_t last,
           AttentionWork& tile) const {
    const std::int64_t keys = request.kv_length;
    const std::int64_t ahead = keys - request.query_length;
    const std::int64_t end =
        spec_.mask == AttentionMask::causal ? std::clamp<std::int64_t>(ahead + last + 1, 0, keys) : keys;
    std::int64_t begin = 0;
    if (window_left_ >= 0) begin = std::clamp<std::int64_t>(first + ahead - window_left_, 0, end);
    // Exact: what no query sees may be freed pages.
    tile.kv_begin = static_cast<int>(begin);
    tile.kv_end = static_cast<int>(end);
  }

  const AttentionSpec& spec_;
  std::int64_t tile_rows_;
  std::int64_t window_left_;
};

std::int64_t length_of(const AttentionWork& work) {
  return work.kv_end - work.kv_begin;
}

/// How tiles are cut.
struct Split {
  std::int64_t keys;   ///< of a part
  std::int64_t whole;  ///< tiles of up to as many are not cut
};

std::int64_t splits_of(const AttentionWork& tile, Split split) {
  const std::int64_t length = length_of(tile);
  if (length <= split.whole) return 1;
  // Both fit into 32 bits, whose division takes a fraction of the time.
  return 1 + (static_cast<std::uint32_t>(length) - 1) / static_cast<std::uint32_t>(split.keys);
}

std::int64_t items_of(const std::vector<AttentionWork>& tiles, Split split) {
  std::int64_t items = 0;
  for (const AttentionWork& tile : tiles) items += splits_of(tile, split);
  return items;
}

/// There are more tiles than blocks run at once: those that take more than twice their share of the time are
/// cut into shares, or the last of them would run alone.
Split share_out(const std::vector<AttentionWork>& tiles, std::int64_t budget) {
  std::int64_t keys = 0;
  for (const AttentionWork& tile : tiles) keys += length_of(tile);
  const std::int64_t share = std::max(kMinAttentionSplit, divide_up(keys, budget));
  const std::int64_t rounded = divide_up(share, kAttentionKeyTile) * kAttentionKeyTile;
  return {rounded, 2 * rounded};
}

/// The fewest keys per split with which the blocks still fit on the device at once.
Split choose_split(const AttentionSpec& spec, const AttentionTiling& tiling,
                   const std::vector<AttentionWork>& tiles, const AttentionPlanOptions& options) {
  constexpr std::int64_t kNever = std::int64_t{1} << 40;
  if (!options.may_split) return {kNever, kNever};
  if (options.fixed_split > 0) return {options.fixed_split, options.fixed_split};
  const std::int64_t budget = attention_tiles_at_once(spec, tiling);
  if (static_cast<std::int64_t>(tiles.size()) >= budget) return share_out(tiles, budget);
  std::int64_t longest = 0;
  for (const AttentionWork& tile : tiles) longest = std::max(longest, length_of(tile));
  // In key tiles: `low` is too few or the least allowed, `high` is enough.
  std::int64_t low = kMinAttentionSplit / kAttentionKeyTile;
  std::int64_t high = std::max(low, divide_up(longest, kAttentionKeyTile));
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    const std::int64_t keys = middle * kAttentionKeyTile;
    if (items_of(tiles, {keys, keys}) <= budget) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return {high * kAttentionKeyTile, high * kAttentionKeyTile};
}

void split_tiles(const std::vector<AttentionWork>& tiles, Split split, AttentionWorkList& list) {
  list.work.reserve(static_cast<std::size_t>(items_of(tiles, split)));
  for (const AttentionWork& tile : tiles) {
    const std::int64_t splits = splits_of(tile, split);
    if (splits == 1) {
      list.work.push_back(tile);
      continue;
    }
    list.merges.push_back(
        {tile.request, tile.row_begin, static_cast<int>(list.slots), static_cast<int>(splits)});
    for (std::int64_t i = 0; i < splits; ++i) {
      AttentionWork part = tile;
      part.kv_begin = static_cast<int>(tile.kv_begin + i * split.keys);
      part.kv_end =
          static_cast<int>(std::min<std::int64_t>(tile.kv_begin + (i + 1) * split.keys, tile.kv_end));
      part.slot = static_cast<int>(list.slots++);
      list.work.push_back(part);
    }
  }
}

/// Blocks start in the order of the list: the long ones first, so that none is left alone at the end; those
/// of about the same length as they were. Lengths count in key tiles, which takes no comparisons: time grows
/// with the number of items alone.
std::vector<AttentionWork> longest_first(const std::vector<AttentionWork>& work) {
  constexpr std::int64_t kMostLengths = 4096;
  std::int64_t longest = 0;
  for (const AttentionWork& item : work) longest = std::max(longest, length_of(item));
  int shift = std::countr_zero(static_cast<std::uint64_t>(kAttentionKeyTile));
  while (longest >> shift >= kMostLengths) ++shift;
  const auto rank = [&](const AttentionWork& item) {
    return static_cast<std::size_t>((longest - length_of(item)) >> shift);
  };
  std::vector<std::size_t> places(static_cast<std::size_t>(longest >> shift) + 2);
  for (const AttentionWork& item : work) ++places[rank(item) + 1];
  std::partial_sum(places.begin(), places.end(), places.begin());
  std::vector<AttentionWork> sorted(work.size());
  for (const AttentionWork& item : work) sorted[places[rank(item)]++] = item;
  return sorted;
}

}  // namespace

std::int64_t attention_tiles_at_once(const AttentionSpec& spec, const AttentionTiling& tiling) {
  return std::max<std::int64_t>(1, tiling.processors * kBlocksPerProcessor / spec.kv_heads);
}

std::int64_t most_attention_items(const AttentionSpec& spec) {
  return kMostRows / spec.kv_heads;
}

Result<void> check_attention_split(const AttentionPlanOptions& options) {
  if (options.fixed_split >= 0 && options.fixed_split % kAttentionKeyTile == 0) return {};
  return bad_batch(
      fmt::format("fixed_split is {}, it must be a multiple of {}", options.fixed_split, kAttentionKeyTile));
}

Result<AttentionWorkList> list_attention_work(const AttentionSpec& spec, const AttentionTiling& tiling,
                                              const AttentionBatch& batch,
                                              const AttentionPlanOptions& options) {
  LATHE_CHECK(check_attention_split(options));
  const std::int64_t most_items = most_attention_items(spec);
  LATHE_CHECK(check_sizes(spec, batch));
  AttentionWorkList list;
  list.requests.reserve(batch.kv_lengths.size());
  Tiles tiles(spec, tiling, batch.window_left);
  Index mask_begin = 0;
  for (std::size_t i = 0; i < batch.kv_lengths.size(); ++i) {
    LATHE_TRY(AttentionRequest request, request_of(spec, batch, i));
    request.mask_begin = mask_begin;
    mask_begin += divide_up(static_cast<Index>(request.query_length) * request.kv_length, 8);
    tiles.add(static_cast<int>(i), request);
    list.requests.push_back(request);
  }
  if (static_cast<std::int64_t>(tiles.tiles.size()) > most_items)
    return bad_batch("more blocks than a grid has", "launch the batch in parts");
  const Split split = choose_split(spec, tiling, tiles.tiles, options);
  if (items_of(tiles.tiles, split) > most_items)
    return bad_batch("more splits than a grid has blocks", "choose a larger fixed_split");
  split_tiles(tiles.tiles, split, list);
  list.work = longest_first(list.work);
  return list;
}

}  // namespace lathe::runtime
