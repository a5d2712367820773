#include "runtime/plan/attention_work.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "codegen/ops/attention.h"
#include "tests/support/catch.h"

using namespace lathe;
using lathe::runtime::AttentionTiling;
using lathe::runtime::AttentionWorkList;
using lathe::runtime::list_attention_work;

namespace {

AttentionSpec spec_of(AttentionSpec spec) {
  return std::get<AttentionSpec>(codegen::normalize_attention(spec).value());
}

const AttentionSpec kSpec = spec_of({.query_heads = 8, .kv_heads = 2, .head_dim = 64});

struct Batch {
  std::vector<std::int64_t> queries;
  std::vector<std::int64_t> keys;

  std::vector<std::int64_t> query_indptr{};
  std::vector<std::int64_t> kv_indptr{};
  std::int64_t window_left = -1;

  AttentionBatch view() {
    query_indptr = {0};
    kv_indptr.clear();
    for (const std::int64_t count : queries) query_indptr.push_back(query_indptr.back() + count);
    std::int64_t place = 0;
    for (const std::int64_t count : keys) {
      kv_indptr.push_back(place);
      place += count;
    }
    return {query_indptr, keys, kv_indptr, window_left};
  }
};

AttentionWorkList list_of(const AttentionSpec& spec, Batch batch, const AttentionTiling& tiling,
                          const AttentionPlanOptions& options = {}) {
  return list_attention_work(spec, tiling, batch.view(), options).value();
}

/// Every row of every request against every key that it may see, once; and every slot merged once, in order.
void check_complete(const AttentionSpec& spec, const Batch& batch, const AttentionTiling& tiling,
                    const AttentionWorkList& list) {
  const std::int64_t group = spec.query_heads / spec.kv_heads;
  std::map<std::pair<int, int>, std::vector<AttentionWork>> tiles;
  for (const AttentionWork& work : list.work) tiles[{work.request, work.row_begin}].push_back(work);
  std::size_t expected = 0;
  for (std::size_t r = 0; r < batch.queries.size(); ++r) {
    const std::int64_t rows = batch.queries[r] * group;
    for (std::int64_t row = 0; row < rows; row += tiling.tile_rows, ++expected) {
      auto& parts = tiles[{static_cast<int>(r), static_cast<int>(row)}];
      REQUIRE(!parts.empty());
      std::ranges::sort(parts, {}, &AttentionWork::kv_begin);
      const std::int64_t ahead = batch.keys[r] - batch.queries[r];
      const std::int64_t last = (std::min(row + tiling.tile_rows, rows) - 1) / group;
      std::int64_t end = batch.keys[r];
      if (spec.mask == AttentionMask::causal) end = std::clamp<std::int64_t>(ahead + last + 1, 0, end);
      const std::int64_t begin =
          spec.has_window ? std::clamp<std::int64_t>(row / group + ahead - batch.window_left, 0, end) : 0;
      CHECK(parts.front().kv_begin == begin);
      CHECK(parts.back().kv_end == end);
      for (std::size_t i = 0; i < parts.size(); ++i) {
        CHECK((parts[i].slot >= 0) == (parts.size() > 1));
        if (i > 0) {
          CHECK(parts[i].kv_begin == parts[i - 1].kv_end);
          CHECK(parts[i].slot == parts[i - 1].slot + 1);
        }
      }
    }
  }
  CHECK(tiles.size() == expected);
  std::int64_t slots = 0;
  for (const AttentionMerge& merge : list.merges) {
    CHECK(merge.first_slot == slots);
    CHECK(merge.slots > 1);
    CHECK(tiles[{merge.request, merge.row_begin}].front().slot == merge.first_slot);
    slots += merge.slots;
  }
  CHECK(slots == list.slots);
}

std::string refusal(const AttentionSpec& spec, const AttentionBatch& batch,
                    const AttentionPlanOptions& options = {}) {
  const auto list = list_attention_work(spec, {}, batch, options);
  REQUIRE(!list);
  CHECK(list.error().code == ErrorCode::invalid_argument);
  return list.error().message;
}

}  // namespace

TEST_CASE("every visible key of every row is some block's work, once") {
  std::mt19937 random(1);
  const auto up_to = [&](std::int64_t most) { return static_cast<std::int64_t>(random() % (most + 1)); };
  for (int round = 0; round < 200; ++round) {
    const std::int64_t kv_heads = 1 + up_to(3);
    AttentionSpec spec = spec_of({.query_heads = kv_heads * (1 + up_to(7)),
                                  .kv_heads = kv_heads,
                                  .head_dim = 64,
                                  .mask = round % 2 == 0 ? AttentionMask::causal : AttentionMask::none,
                                  .has_window = round % 3 == 0});
    Batch batch;
    for (std::int64_t i = up_to(9); i >= 0; --i) {
      batch.queries.push_back(up_to(round % 4 == 0 ? 300 : 2));
      batch.keys.push_back(up_to(5000));
    }
    if (spec.has_window) batch.window_left = up_to(700);
    const AttentionTiling tiling{.tile_rows = std::int64_t{16} << up_to(3), .processors = 1 + up_to(131)};
    AttentionPlanOptions options;
    if (round % 5 == 0) options.fixed_split = 64 * (1 + up_to(20));
    if (round % 7 == 0) options.may_split = false;
    INFO("round " << round);
    const AttentionWorkList list = list_of(spec, batch, tiling, options);
    check_complete(spec, batch, tiling, list);
    if (!options.may_split) CHECK(list.slots == 0);
  }
}

TEST_CASE("a small batch is split until the device is filled, a large one is not") {
  const AttentionTiling tiling{.tile_rows = 16, .processors = 132};
  const AttentionWorkList alone = list_of(kSpec, {{1}, {100'000}}, tiling);
  // Two blocks a processor, shared by two key-value heads.
  CHECK(alone.work.size() > 120);
  CHECK(alone.work.size() <= 132);
  CHECK(alone.merges.size() == 1);
  const AttentionWorkList many =
      list_of(kSpec, {std::vector<std::int64_t>(200, 1), std::vector<std::int64_t>(200, 5000)}, tiling);
  CHECK(many.work.size() == 200);
  CHECK(many.slots == 0);
  // Not shorter than what is worth a merge.
  CHECK(list_of(kSpec, {{1}, {300}}, tiling).work.size() == 2);
}

TEST_CASE("of many requests those that take far more than their share are split") {
  // Eight blocks at once for each key-value head; the long request would take eight times as long as all
  // others.
  const AttentionSpec spec = spec_of({.query_heads = 32, .kv_heads = 32, .head_dim = 64});
  const AttentionTiling tiling{.tile_rows = 16, .processors = 132};
  std::vector<std::int64_t> keys(8, 256);
  keys[3] = 131072;
  const Batch batch{std::vector<std::int64_t>(8, 1), keys};
  const AttentionWorkList list = list_of(spec, batch, tiling);
  check_complete(spec, batch, tiling, list);
  REQUIRE(list.merges.size() == 1);
  CHECK(list.merges[0].request == 3);
  CHECK(list.merges[0].slots == 8);
  CHECK(list.work.size() == 15);
  // Twice as long as the others is not far more.
  keys[3] = 512;
  CHECK(list_of(spec, {batch.queries, keys}, tiling).slots == 0);
}

TEST_CASE("long work comes first") {
  const AttentionWorkList list =
      list_of(kSpec, {{1, 1, 1}, {100, 9000, 700}}, {.tile_rows = 16, .processors = 1});
  REQUIRE(list.work.size() == 3);
  CHECK(list.work[0].request == 1);
  CHECK(list.work[1].request == 2);
  CHECK(list.work[2].request == 0);
}

TEST_CASE("with a fixed split a request is cut alike in any batch") {
  const AttentionPlanOptions options{.fixed_split = 2048};
  const AttentionTiling tiling{.tile_rows = 16, .processors = 132};
  const auto cuts = [&](const Batch& batch, int request) {
    std::vector<std::pair<int, int>> found;
    for (const AttentionWork& work : list_of(kSpec, batch, tiling, options).work) {
      if (work.request == request) found.emplace_back(work.kv_begin, work.kv_end);
    }
    std::ranges::sort(found);
    return found;
  };
  const auto alone = cuts({{1}, {5000}}, 0);
  CHECK(alone == std::vector<std::pair<int, int>>{{0, 2048}, {2048, 4096}, {4096, 5000}});
  CHECK(cuts({{1, 1, 1}, {4096, 5000, 8192}}, 1) == alone);
}

TEST_CASE("requests without queries, keys or both") {
  const AttentionWorkList list = list_of(kSpec, {{0, 3, 0}, {10, 0, 0}}, {.tile_rows = 16, .processors = 4});
  // Rows that see nothing still get their zeros.
  REQUIRE(list.work.size() == 1);
  CHECK(list.work[0].request == 1);
  CHECK(list.work[0].kv_end == 0);
  CHECK(list_of(kSpec, {{}, {}}, {}).work.empty());
}

TEST_CASE("a batch that makes no sense is refused, by name and place") {
  using V = std::vector<std::int64_t>;
  const V two{0, 1};
  const V one{5};
  const V zero{0};
  CHECK(refusal(kSpec, {V{0}, one, zero}) ==
        "attention plan: query_indptr has 1 entries, expected 2, one more than kv_lengths");
  CHECK(refusal(kSpec, {V{3, 1}, one, zero}) ==
        "attention plan: query_indptr[0] is 3, query_indptr[1] is 1: it must not descend");
  CHECK(refusal(kSpec, {two, V{-1}, zero}).find("kv_lengths[0] is -1, allowed are 0 to") !=
        std::string::npos);
  CHECK(refusal(kSpec, {two, one, {}}) == "attention plan: kv_indptr has 0 entries, expected 1 or 2");
  CHECK(refusal(kSpec, {two, one, V{-4}}) == "attention plan: kv_indptr[0] is -4");
  CHECK(refusal(kSpec, {two, one, zero}, {.fixed_split = 100}) ==
        "attention plan: fixed_split is 100, it must be a multiple of 64");
  AttentionSpec windowed = kSpec;
  windowed.has_window = true;
  CHECK(refusal(windowed, {two, one, zero}) ==
        "attention plan: window_left is -1, and the spec has a window");
  CHECK(refusal(kSpec, {V{0, 1, 2}, V{15, 10}, V{0, 10, 20}}) ==
        "attention plan: request 0 has 15 keys, but kv_indptr leaves it 10");
  const V far{0, 2'000'000};
  CHECK(refusal(kSpec, {far, V{2'000'000'000}, zero}, {.fixed_split = 64}) ==
        "attention plan: more splits than a grid has blocks");
  const AttentionSpec paged =
      spec_of({.query_heads = 8, .kv_heads = 2, .head_dim = 64, .storage = KvStorage::paged, .page_size = 4});
  CHECK(refusal(paged, {two, one, V{0, 1}}) ==
        "attention plan: request 0 has 5 keys, which need 2 pages of 4, and 1 are listed");
  AttentionSpec contiguous = kSpec;
  contiguous.storage = KvStorage::contiguous;
  CHECK(list_attention_work(contiguous, {}, {two, one, {}}, {}).has_value());
}

TEST_CASE("items of about the same length stay in the order of requests, rows and keys") {
  // 9000 keys are of one length with 8990, a tile more than 8900.
  const AttentionWorkList list =
      list_of(kSpec, {{1, 5, 1, 1}, {8900, 9000, 8990, 100}}, {.tile_rows = 16, .processors = 1});
  std::vector<std::pair<int, int>> order;
  for (const AttentionWork& work : list.work) order.emplace_back(work.request, work.row_begin);
  CHECK(order == std::vector<std::pair<int, int>>{{1, 0}, {1, 16}, {2, 0}, {0, 0}, {3, 0}});
  // So long that lengths are told apart by more than a tile.
  const AttentionWorkList longer =
      list_of(kSpec, {{1, 1, 1}, {1, 1'000'000'000, 2'000'000'000}}, {.tile_rows = 16, .processors = 1});
  REQUIRE(longer.work.size() == 3);
  CHECK(longer.work[0].request == 2);
  CHECK(longer.work[1].request == 1);
  CHECK(longer.work[2].request == 0);
}

namespace {

/// The best of a few, of this process alone, whatever else the machine does.
double planning_seconds(const AttentionBatch& batch, const AttentionPlanOptions& options) {
  double best = 1;
  for (int i = 0; i < 20; ++i) {
    const std::clock_t begin = std::clock();
    REQUIRE(list_attention_work(kSpec, {.tile_rows = 16, .processors = 132}, batch, options).has_value());
    best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  return best;
}

}  // namespace

TEST_CASE("planning a thousand requests takes a fraction of a millisecond") {
  Batch batch;
  std::mt19937 random(3);
  for (int i = 0; i < 1024; ++i) {
    batch.queries.push_back(1);
    batch.keys.push_back(1 + random() % 8192);
  }
  const AttentionBatch view = batch.view();
  CHECK(planning_seconds(view, {}) < 200e-6);
  // Some nine thousand items.
  CHECK(planning_seconds(view, {.fixed_split = 512}) < 2e-3);
}
