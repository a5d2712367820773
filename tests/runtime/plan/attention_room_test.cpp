#include "runtime/plan/attention_room.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "codegen/ops/attention.h"
#include "tests/support/catch.h"

using namespace lathe;
using lathe::runtime::attention_room;
using lathe::runtime::AttentionTiling;
using lathe::runtime::list_attention_work;
using lathe::runtime::room_of;

namespace {

AttentionSpec spec_of(AttentionSpec spec) {
  return std::get<AttentionSpec>(codegen::normalize_attention(spec).value());
}

const AttentionSpec kSpec = spec_of({.query_heads = 8, .kv_heads = 2, .head_dim = 64});
constexpr AttentionTiling kTiling{.tile_rows = 16, .processors = 132};

AttentionRoom needed(const AttentionSpec& spec, const AttentionTiling& tiling,
                     const std::vector<std::int64_t>& queries, const std::vector<std::int64_t>& keys,
                     const AttentionPlanOptions& options) {
  std::vector<std::int64_t> indptr{0};
  for (const std::int64_t count : queries) indptr.push_back(indptr.back() + count);
  std::vector<std::int64_t> begins(keys.size());
  std::exclusive_scan(keys.begin(), keys.end(), begins.begin(), std::int64_t{0});
  return room_of(
      list_attention_work(spec, tiling, {indptr, keys, begins, spec.has_window ? 100 : -1}, options).value());
}

/// Requests that keep the limits, often just so.
struct RandomBatch {
  RandomBatch(const AttentionLimits& limits, std::mt19937& random) {
    const auto up_to = [&](std::int64_t most) { return static_cast<std::int64_t>(random() % (most + 1)); };
    const auto pick = [&](std::int64_t most) { return random() % 3 == 0 ? most : up_to(most); };
    std::int64_t queries_left = limits.queries;
    std::int64_t keys_left = limits.all_keys == 0 ? limits.requests * limits.keys : limits.all_keys;
    const std::int64_t each = limits.request_queries == 0 ? limits.queries : limits.request_queries;
    for (std::int64_t i = pick(limits.requests); i > 0; --i) {
      queries.push_back(pick(std::min(each, random() % 2 == 0 ? 1 : queries_left)));
      queries.back() = std::min(queries.back(), queries_left);
      keys.push_back(std::min(pick(limits.keys), keys_left));
      queries_left -= queries.back();
      keys_left -= keys.back();
    }
  }

  std::vector<std::int64_t> queries;
  std::vector<std::int64_t> keys;
};

std::string refusal(const AttentionLimits& limits, const AttentionPlanOptions& options = {}) {
  const auto room = attention_room(kSpec, kTiling, limits, options);
  REQUIRE(!room);
  CHECK(room.error().code == ErrorCode::invalid_argument);
  return room.error().message;
}

}  // namespace

TEST_CASE("no batch within the limits takes more room than its limits ask for") {
  std::mt19937 random(1);
  const auto up_to = [&](std::int64_t most) { return static_cast<std::int64_t>(random() % (most + 1)); };
  for (int round = 0; round < 300; ++round) {
    const std::int64_t kv_heads = 1 + up_to(3);
    const AttentionSpec spec = spec_of({.query_heads = kv_heads * (1 + up_to(11)),
                                        .kv_heads = kv_heads,
                                        .head_dim = 64,
                                        .mask = round % 2 == 0 ? AttentionMask::causal : AttentionMask::none,
                                        .has_window = round % 3 == 0});
    const AttentionTiling tiling{.tile_rows = std::int64_t{16} << up_to(3), .processors = 1 + up_to(131)};
    AttentionLimits limits{.requests = up_to(40), .queries = up_to(400), .keys = up_to(20'000)};
    if (round % 4 == 1) limits.request_queries = 1 + up_to(20);
    if (round % 4 >= 2) limits.all_keys = 1 + up_to(limits.requests * limits.keys);
    AttentionPlanOptions options;
    if (round % 5 == 0) options.fixed_split = 64 * (1 + up_to(20));
    if (round % 7 == 0) options.may_split = false;
    const AttentionRoom room = attention_room(spec, tiling, limits, options).value();
    for (int i = 0; i < 20; ++i) {
      const RandomBatch batch(limits, random);
      const AttentionRoom taken = needed(spec, tiling, batch.queries, batch.keys, options);
      INFO("round " << round << ", batch " << i);
      CHECK(taken.requests <= room.requests);
      CHECK(taken.work_items <= room.work_items);
      CHECK(taken.merge_items <= room.merge_items);
      CHECK(taken.splits <= room.splits);
    }
  }
}

TEST_CASE("the room is what the largest batch takes, where one can take it") {
  const AttentionLimits decode{.requests = 20, .queries = 20, .keys = 5000, .request_queries = 1};
  const std::vector<std::int64_t> queries(20, 1), keys(20, 5000);
  for (const std::int64_t split : {1024, 5056}) {
    const AttentionPlanOptions options{.fixed_split = split};
    CHECK(attention_room(kSpec, kTiling, decode, options).value() ==
          needed(kSpec, kTiling, queries, keys, options));
  }
  CHECK(attention_room(kSpec, kTiling, decode, {.may_split = false}).value() ==
        AttentionRoom{.requests = 20, .work_items = 20});
  // So few keys that nothing is split.
  CHECK(attention_room(kSpec, kTiling, {.requests = 3, .queries = 50, .keys = 256}, {}).value() ==
        AttentionRoom{.requests = 3, .work_items = 14});
  // As the device likes: as many as it runs at once, for each of two key-value heads, and no more.
  CHECK(attention_room(kSpec, kTiling, decode, {}).value() ==
        AttentionRoom{.requests = 20, .work_items = 132, .merge_items = 20, .splits = 132});
}

TEST_CASE("a limit on all keys together bounds what a fixed split makes of them") {
  AttentionLimits limits{.requests = 256, .queries = 256, .keys = 131'072, .request_queries = 1};
  const AttentionPlanOptions options{.fixed_split = 2048};
  CHECK(attention_room(kSpec, kTiling, limits, options).value().work_items == 256 * 64);
  limits.all_keys = 1'000'000;
  const AttentionRoom room = attention_room(kSpec, kTiling, limits, options).value();
  CHECK(room.work_items == 256 + 488);
  CHECK(room.splits == 256 + 488);
}

TEST_CASE("limits that no launch can keep are refused by name") {
  CHECK(refusal({.requests = -1}) == "attention plan: the limit requests is -1, allowed are 0 to 2147483647");
  CHECK(refusal({.requests = 1, .queries = std::int64_t{1} << 40}) ==
        "attention plan: the limit queries is 1099511627776, allowed are 0 to 2147483647");
  CHECK(refusal({.requests = 1, .queries = 1, .keys = -3}) ==
        "attention plan: the limit keys is -3, allowed are 0 to 2147483647");
  CHECK(refusal({.requests = 1, .queries = 1, .keys = 1, .request_queries = -1}) ==
        "attention plan: the limit request_queries is -1, allowed are 0 to 2147483647");
  CHECK(refusal({.requests = 1, .queries = 1, .keys = 1, .all_keys = -1}) ==
        "attention plan: the limit all_keys is -1");
  CHECK(refusal({.requests = 1, .queries = 1, .keys = 1}, {.fixed_split = 100}) ==
        "attention plan: fixed_split is 100, it must be a multiple of 64");
  CHECK(refusal({.requests = 1'000'000'000, .queries = 2'000'000'000, .keys = 2'000'000'000},
                {.fixed_split = 64})
            .find("work items, at most 1073741311 can be") != std::string::npos);
}
