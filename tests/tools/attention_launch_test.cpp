// lathe run with attention: batches given as arrays, against attention worked out here.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/tools/program_run.h"
#include "tests/tools/workbench.h"

using namespace lathe;
using tests::Workbench;
using tools::NpyType;

namespace {

constexpr int kHeads = 2, kDim = 32;  // one key-value head

std::vector<float> random_rows(std::int64_t rows, int heads, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> eighths(-15, 15);
  std::vector<float> values(static_cast<std::size_t>(rows * heads * kDim));
  for (float& value : values) value = static_cast<float>(eighths(random)) / 8;  // bf16 holds them exactly
  return values;
}

/// One row of the result: query row `q` against the keys whose rows are listed.
std::vector<double> attend(const float* q, const std::vector<float>& k, const std::vector<float>& v,
                           const std::vector<std::size_t>& rows) {
  std::vector<double> o(kDim);
  double sum = 0;
  for (const std::size_t row : rows) {
    double dot = 0;
    for (std::size_t i = 0; i < kDim; ++i) dot += static_cast<double>(q[i]) * k[row * kDim + i];
    const double weight = std::exp(dot / std::sqrt(double{kDim}));
    sum += weight;
    for (std::size_t i = 0; i < kDim; ++i) o[i] += weight * v[row * kDim + i];
  }
  for (double& value : o) value /= sum;
  return o;
}

/// All queries' results; `rows_of` gives the rows of k that a query token sees.
template <class RowsOf>
double worst_error(const std::vector<float>& o, const std::vector<float>& q, const std::vector<float>& k,
                   const std::vector<float>& v, RowsOf rows_of) {
  REQUIRE(o.size() == q.size());
  double worst = 0;
  for (std::size_t row = 0; row < q.size() / kDim; ++row) {
    const auto exact = attend(&q[row * kDim], k, v, rows_of(row / kHeads));
    for (std::size_t i = 0; i < kDim; ++i) {
      const double error = std::fabs(o[row * kDim + i] - exact[i]);
      worst = std::max(worst, std::isnan(error) ? 1e30 : error);
    }
  }
  return worst;
}

std::string spec_json(const std::string& more) {
  return R"({"op": "attention", "query_heads": 2, "kv_heads": 1, "head_dim": 32, )" + more + "}";
}

bool skipped() {
  if (tests::has_cpu()) return false;
  WARN("not checked: this build or machine runs no CPU kernels");
  return true;
}

std::vector<std::size_t> range(std::size_t begin, std::size_t end) {
  std::vector<std::size_t> rows;
  for (; begin < end; ++begin) rows.push_back(begin);
  return rows;
}

constexpr double kLimit = 0.03;  // bf16 weights and results of values below 2

}  // namespace

TEST_CASE("run plans attention over ragged requests") {
  if (skipped()) return;
  Workbench bench;
  const auto q = random_rows(5, kHeads, 1), k = random_rows(9, 1, 2), v = random_rows(9, 1, 3);
  bench.write("q", NpyType::f4, {5, kHeads, kDim}, q);
  bench.write("k", NpyType::f4, {9, 1, kDim}, k);
  bench.write("v", NpyType::f4, {9, 1, kDim}, v);
  bench.write<std::int32_t>("query_indptr", NpyType::i4, {4}, {0, 2, 2, 5});
  bench.write<std::int64_t>("kv_lengths", NpyType::i8, {3}, {3, 1, 5});
  bench.write<std::int64_t>("kv_indptr", NpyType::i8, {4}, {0, 3, 4, 9});
  const std::string spec = spec_json(R"("mask": "causal")");
  const auto all_visible = [](std::size_t token) {
    return token < 2 ? range(0, 2 + token) : range(4, 4 + 3 + token - 2);
  };
  // The keys' places may be left out where the requests follow one another, or their lengths.
  for (const auto& names :
       std::vector<std::vector<std::string>>{{"q", "k", "v", "query_indptr", "kv_lengths", "kv_indptr"},
                                             {"q", "k", "v", "query_indptr", "kv_lengths"},
                                             {"q", "k", "v", "query_indptr", "kv_indptr"}}) {
    auto more = bench.inputs(names);
    more.insert(more.end(), {"--out", "o=" + bench.path("o.npy")});
    const auto run = bench.run(spec, more);
    INFO(run.err);
    REQUIRE(run.code == 0);
    CHECK(worst_error(bench.read<float>("o"), q, k, v, all_visible) < kLimit);
  }
}

TEST_CASE("run takes one query a request, or one request, for granted") {
  if (skipped()) return;
  Workbench bench;
  const auto q = random_rows(3, kHeads, 4), k = random_rows(3 * 7, 1, 5), v = random_rows(3 * 7, 1, 6);
  bench.write("q", NpyType::f4, {3, kHeads, kDim}, q);
  bench.write("k", NpyType::f4, {3, 7, 1, kDim}, k);
  bench.write("v", NpyType::f4, {3, 7, 1, kDim}, v);
  auto more = bench.inputs({"q", "k", "v"});
  more.insert(more.end(), {"--out", "o=" + bench.path("o.npy")});
  const auto batch = bench.run(spec_json(R"("storage": "contiguous", "phase": "decode")"), more);
  INFO(batch.err);
  REQUIRE(batch.code == 0);
  const auto own_keys = [](std::size_t token) { return range(7 * token, 7 * token + 7); };
  CHECK(worst_error(bench.read<float>("o"), q, k, v, own_keys) < kLimit);

  bench.write("k", NpyType::f4, {21, 1, kDim}, k);
  bench.write("v", NpyType::f4, {21, 1, kDim}, v);
  const auto one = bench.run(spec_json(R"("mask": "causal")"), more);
  INFO(one.err);
  REQUIRE(one.code == 0);
  const auto causal = [](std::size_t token) { return range(0, 19 + token); };
  CHECK(worst_error(bench.read<float>("o"), q, k, v, causal) < kLimit);
}

TEST_CASE("run plans attention over pages, split where a request is long") {
  if (skipped()) return;
  Workbench bench;
  const std::int64_t pages = 400, page_size = 4;
  const auto q = random_rows(2, kHeads, 7);
  const auto k = random_rows(pages * page_size, 1, 8), v = random_rows(pages * page_size, 1, 9);
  std::vector<std::int32_t> order(pages);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  std::shuffle(order.begin(), order.end(), std::mt19937(10));
  bench.write("q", NpyType::f4, {2, kHeads, kDim}, q);
  bench.write("k", NpyType::f4, {pages, page_size, 1, kDim}, k);
  bench.write("v", NpyType::f4, {pages, page_size, 1, kDim}, v);
  bench.write("page_indices", NpyType::i4, {pages}, order);
  bench.write<std::int64_t>("kv_lengths", NpyType::i8, {2}, {5, 1559});
  auto more = bench.inputs({"q", "k", "v", "page_indices", "kv_lengths"});
  more.insert(more.end(), {"--out", "o=" + bench.path("o.npy")});
  const auto run = bench.run(spec_json(R"("storage": "paged", "page_size": 4, "phase": "decode")"), more);
  INFO(run.err);
  REQUIRE(run.code == 0);
  const auto in_pages = [&](std::size_t token) {
    std::vector<std::size_t> rows;
    for (const std::size_t key : range(0, token == 0 ? 5 : 1559)) {
      const auto page = static_cast<std::size_t>(order[(token == 0 ? 0 : 2) + key / 4]);
      rows.push_back(page * 4 + key % 4);
    }
    return rows;
  };
  CHECK(worst_error(bench.read<float>("o"), q, k, v, in_pages) < kLimit);
}

TEST_CASE("run hands data to attention's hooks, where there is some") {
  if (skipped()) return;
  Workbench bench;
  const auto q = random_rows(2, kHeads, 11), k = random_rows(6, 1, 12), v = random_rows(6, 1, 13);
  bench.write("q", NpyType::f4, {2, kHeads, kDim}, q);
  bench.write("k", NpyType::f4, {6, 1, kDim}, k);
  bench.write("v", NpyType::f4, {6, 1, kDim}, v);
  bench.write<std::int64_t>("kv_lengths", NpyType::i8, {1}, {6});
  // Whether a key is seen stands in the data.
  bench.write<float>("hook_data", NpyType::f4, {6}, {1, 0, 1, 1, 0, 1});
  const std::string spec =
      spec_json(R"("hooks": {"mask": "return data == nullptr || ((const float*)data)[at.key] != 0.0f;"})");
  auto more = bench.inputs({"q", "k", "v", "kv_lengths"});
  more.insert(more.end(), {"--out", "o=" + bench.path("o.npy")});
  const auto without = bench.run(spec, more);
  INFO(without.err);
  REQUIRE(without.code == 0);
  CHECK(worst_error(bench.read<float>("o"), q, k, v, [](std::size_t) { return range(0, 6); }) < kLimit);
  more = bench.inputs({"q", "k", "v", "kv_lengths", "hook_data"});
  more.insert(more.end(), {"--out", "o=" + bench.path("o.npy")});
  const auto with = bench.run(spec, more);
  INFO(with.err);
  REQUIRE(with.code == 0);
  CHECK(worst_error(bench.read<float>("o"), q, k, v,
                    [](std::size_t) { return std::vector<std::size_t>{0, 2, 3, 5}; }) < kLimit);
  // A spec without hooks has no use for it.
  const auto refused = bench.run(spec_json(R"("mask": "none")"), more);
  CHECK(refused.code == 1);
  CHECK(refused.err.find("there is no input \"hook_data\"") != std::string::npos);
}

TEST_CASE("run says which array of attention's batch does not fit") {
  Workbench bench;
  bench.write("q", NpyType::f4, {4, kHeads, kDim}, random_rows(4, kHeads, 1));
  bench.write("k", NpyType::f4, {6, 1, kDim}, random_rows(6, 1, 2));
  bench.write("v", NpyType::f4, {6, 1, kDim}, random_rows(6, 1, 3));
  const auto says = [&](const std::string& name, NpyType type, const std::vector<std::int64_t>& values,
                        const std::string& expected) {
    if (type == NpyType::i8) {
      bench.write(name, type, {static_cast<std::int64_t>(values.size())}, values);
    } else {
      bench.write(name, type, {static_cast<std::int64_t>(values.size())}, std::vector<float>(values.size()));
    }
    const auto run = bench.run(spec_json(R"("mask": "causal")"), bench.inputs({"q", "k", "v", name}));
    INFO(run.err);
    CHECK(run.code == 1);
    CHECK(run.err.find(expected) != std::string::npos);
  };
  says("query_indptr", NpyType::i8, {0, 5}, "query_indptr ends at 5, q has 4 tokens");
  says("query_indptr", NpyType::f4, {0, 4},
       "query_indptr: expected a list of int32 or int64, found float32 [2]");
  says("kv_lengths", NpyType::i8, {7}, "request 0 needs 7 of keys from 0 on, there are 6");
  says("kv_lengths", NpyType::i8, {3, 3, 0}, "3 requests may share 4 queries in many ways");
  says("kv_indptr", NpyType::i8, {2, 7}, "request 0 needs 5 of keys from 2 on, there are 6");
  const auto run =
      bench.run(spec_json(R"("storage": "paged", "page_size": 2)"), bench.inputs({"q", "k", "v"}));
  CHECK(run.code == 1);
  CHECK(run.err.find("the input kv_lengths is missing: pages do not say how far they are filled") !=
        std::string::npos);

  bench.write("k", NpyType::f4, {3, 2, 1, kDim}, random_rows(6, 1, 2));
  bench.write("v", NpyType::f4, {3, 2, 1, kDim}, random_rows(6, 1, 3));
  bench.write<std::int64_t>("kv_lengths", NpyType::i8, {1}, {3});
  bench.write<std::int32_t>("page_indices", NpyType::i4, {2}, {0, 3});
  const auto paged = bench.run(spec_json(R"("storage": "paged", "page_size": 2)"),
                               bench.inputs({"q", "k", "v", "kv_lengths", "page_indices"}));
  CHECK(paged.code == 1);
  CHECK(paged.err.find("page_indices[1] is 3, k has 3 pages") != std::string::npos);

  bench.write("k", NpyType::f4, {6, 1, kDim}, random_rows(6, 1, 2));
  bench.write("v", NpyType::f4, {6, 1, kDim}, random_rows(6, 1, 3));
  bench.write<std::uint8_t>("mask", NpyType::u1, {2}, {255, 255});
  const auto masked = bench.run(spec_json(R"("mask": "custom")"), bench.inputs({"q", "k", "v", "mask"}));
  CHECK(masked.code == 1);
  CHECK(masked.err.find("mask has 2 bytes, the batch needs 3") != std::string::npos);
}
