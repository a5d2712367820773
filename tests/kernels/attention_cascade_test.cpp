// Cascades: requests whose first keys are the same attend to those together, once, and to the rest apart.
// What comes out is attention over all keys of each, in double precision, on every device at hand.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <lathe/attention_plan.h>

#include "tests/kernels/attention_tensors.h"
#include "tests/reference/attention.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/host_tensor.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr std::int64_t kQueryHeads = 6, kKvHeads = 2, kDim = 64;

/// Keys that some requests, one after the other, have in common.
struct Shared {
  std::size_t requests = 1;
  std::int64_t keys = 0;
};

struct CascadeCase {
  DType dtype = bf16;
  std::int64_t page_size = 16;
  std::vector<std::int64_t> queries;        ///< of each request, its last tokens
  std::vector<std::vector<Shared>> levels;  ///< from what most share to what is each request's own
};

AttentionSpec spec_of(const CascadeCase& test, bool is_last) {
  const bool is_decode = std::ranges::max(test.queries) == 1;
  return {.query_heads = kQueryHeads,
          .kv_heads = kKvHeads,
          .head_dim = kDim,
          .dtype = test.dtype,
          .phase = is_last && is_decode ? AttentionPhase::decode : AttentionPhase::prefill,
          .storage = KvStorage::paged,
          .page_size = test.page_size,
          // Every query comes behind the keys that are shared.
          .mask = is_last ? AttentionMask::causal : AttentionMask::none,
          .store_lse = true};
}

/// One level's part of the batch; its pages are listed one request after the other.
struct Level {
  std::vector<std::int64_t> query_indptr{0}, kv_lengths, kv_indptr{0};
  std::vector<std::int32_t> pages;
};

class Cascade {
 public:
  Cascade(Runtime& runtime, const CascadeCase& test) : runtime_(runtime), test_(test) {
    list_pages();
    std::normal_distribution<double> normal;
    const std::int64_t tokens = std::accumulate(test.queries.begin(), test.queries.end(), std::int64_t{0});
    HostTensor q = HostTensor::poisoned(test.dtype, static_cast<std::size_t>(tokens * kQueryHeads * kDim));
    for (std::size_t i = 0; i < q.count(); ++i) q.set(i, normal(random_));
    tokens_ = tokens;
    q_ = std::make_unique<AttentionTensor>(runtime, std::move(q));
    k_ = make_pool();
    v_ = make_pool();
  }

  /// Empty, or the first difference.
  std::string run() {
    const std::size_t rows = static_cast<std::size_t>(tokens_ * kQueryHeads);
    const auto result = [&] {
      return AttentionTensor(runtime_, HostTensor::poisoned(test_.dtype, rows * kDim));
    };
    const auto logarithms = [&] { return AttentionTensor(runtime_, HostTensor::poisoned(f32, rows)); };
    const AttentionTensor o = result(), lse = logarithms();
    attend(0, o, lse);
    const auto merge =
        runtime_.get(AttentionMergeSpec{.heads = kQueryHeads, .value_dim = kDim, .dtype = test_.dtype});
    for (std::size_t i = 1; i < levels_.size(); ++i) {
      const AttentionTensor part = result(), part_lse = logarithms();
      attend(i, part, part_lse);
      merge.value()
          .launch({.o_parts = o.device.data(),
                   .lse_parts = static_cast<const float*>(lse.device.data()),
                   .o_other = part.device.data(),
                   .lse_other = static_cast<const float*>(part_lse.device.data()),
                   .o = o.device.data(),
                   .lse = static_cast<float*>(lse.device.data()),
                   .tokens = tokens_},
                  {})
          .value();
      runtime_.synchronize({}).value();
    }
    return compare(o.now(), lse.now());
  }

 private:
  void list_pages() {
    for (const std::vector<Shared>& shares : test_.levels) {
      Level level;
      std::size_t request = 0;
      for (const Shared& share : shares) {
        std::int64_t queries = 0;
        for (std::size_t i = 0; i < share.requests; ++i) queries += test_.queries[request++];
        level.query_indptr.push_back(level.query_indptr.back() + queries);
        level.kv_lengths.push_back(share.keys);
        for (std::int64_t key = 0; key < share.keys; key += test_.page_size) level.pages.push_back(pages_++);
        level.kv_indptr.push_back(static_cast<std::int64_t>(level.pages.size()));
      }
      REQUIRE(request == test_.queries.size());
      levels_.push_back(level);
    }
    // In any order.
    std::vector<std::int32_t> places(static_cast<std::size_t>(pages_));
    std::iota(places.begin(), places.end(), 0);
    std::shuffle(places.begin(), places.end(), random_);
    for (Level& level : levels_) {
      for (std::int32_t& page : level.pages) page = places[static_cast<std::size_t>(page)];
    }
  }

  /// Slots behind the last key of a list of pages are NaN.
  std::unique_ptr<AttentionTensor> make_pool() {
    HostTensor pool = HostTensor::poisoned(
        test_.dtype, static_cast<std::size_t>(pages_ * test_.page_size * kKvHeads * kDim));
    std::normal_distribution<double> normal;
    for (const Level& level : levels_) {
      for (std::size_t r = 0; r < level.kv_lengths.size(); ++r) {
        for (std::int64_t key = 0; key < level.kv_lengths[r]; ++key) {
          const std::size_t at = place_of(level, r, key, 0);
          for (std::size_t d = 0; d < kKvHeads * kDim; ++d) pool.set(at + d, normal(random_));
        }
      }
    }
    return std::make_unique<AttentionTensor>(runtime_, std::move(pool));
  }

  std::size_t place_of(const Level& level, std::size_t r, std::int64_t key, std::int64_t kv_head) const {
    const std::int64_t page =
        level.pages[static_cast<std::size_t>(level.kv_indptr[r] + key / test_.page_size)];
    return static_cast<std::size_t>(((page * test_.page_size + key % test_.page_size) * kKvHeads + kv_head) *
                                    kDim);
  }

  void attend(std::size_t number, const AttentionTensor& o, const AttentionTensor& lse) {
    const Level& level = levels_[number];
    const auto kernel = runtime_.get(spec_of(test_, number + 1 == levels_.size())).value();
    const AttentionBatch batch{
        .query_indptr = level.query_indptr, .kv_lengths = level.kv_lengths, .kv_indptr = level.kv_indptr};
    const AttentionPlan plan = AttentionPlan::make(kernel, batch, {.fixed_split = 64}).value();
    GuardedBuffer bytes(runtime_, plan.bytes().size()), workspace(runtime_, plan.workspace_bytes());
    GuardedBuffer pages(runtime_, level.pages.size() * 4);
    bytes.upload(plan.bytes().data());
    pages.upload(level.pages.data());
    AttentionArgs args;
    args.q = q_->device.data();
    args.k = k_->device.data();
    args.v = v_->device.data();
    args.o = o.device.data();
    args.lse = static_cast<float*>(lse.device.data());
    args.page_indices = pages.data();
    plan.apply(args, bytes.data());
    args.workspace = workspace.data();
    args.workspace_bytes = static_cast<Index>(plan.workspace_bytes());
    kernel.launch(args, {}).value();
    runtime_.synchronize({}).value();
  }

  std::vector<double> row(const HostTensor& tensor, std::size_t begin) const {
    std::vector<double> values;
    for (std::size_t d = 0; d < kDim; ++d) values.push_back(tensor.at(begin + d));
    return values;
  }

  std::string compare(const HostTensor& o, const HostTensor& lse) const {
    std::int64_t token = 0;
    for (std::size_t r = 0; r < test_.queries.size(); ++r) {
      for (std::int64_t head = 0; head < kQueryHeads; ++head) {
        std::vector<std::vector<double>> keys, values;
        gather(r, head / (kQueryHeads / kKvHeads), keys, values);
        for (std::int64_t i = 0; i < test_.queries[r]; ++i) {
          const auto at = static_cast<std::size_t>((token + i) * kQueryHeads + head);
          const auto expected = reference::attention_row({.query = i,
                                                          .query_length = test_.queries[r],
                                                          .kv_length = static_cast<std::int64_t>(keys.size()),
                                                          .q = row(q_->before, at * kDim),
                                                          .scale = 1 / std::sqrt(static_cast<double>(kDim)),
                                                          .is_causal = true},
                                                         keys, values);
          std::string wrong = differs(expected, o, lse, at);
          if (!wrong.empty()) return fmt::format("request {}, query {}, head {}: {}", r, i, head, wrong);
        }
      }
      token += test_.queries[r];
    }
    return {};
  }

  /// All that a request's queries see, level by level.
  void gather(std::size_t request, std::int64_t kv_head, std::vector<std::vector<double>>& keys,
              std::vector<std::vector<double>>& values) const {
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      std::size_t share = 0;
      for (std::size_t end = test_.levels[l][0].requests; end <= request;)
        end += test_.levels[l][++share].requests;
      for (std::int64_t key = 0; key < levels_[l].kv_lengths[share]; ++key) {
        keys.push_back(row(k_->before, place_of(levels_[l], share, key, kv_head)));
        values.push_back(row(v_->before, place_of(levels_[l], share, key, kv_head)));
      }
    }
  }

  std::string differs(const reference::AttentionRow& expected, const HostTensor& o, const HostTensor& lse,
                      std::size_t at) const {
    // Each level's result is rounded, and each merge's, and the weights of each level.
    const double half_ulp = test_.dtype == bf16 ? 0x1p-9 : 0x1p-12;
    for (std::size_t d = 0; d < kDim; ++d) {
      const double room = expected.magnitude[d] * (4 * half_ulp + 0x1p-16) +
                          2 * static_cast<double>(levels_.size()) * half_ulp * std::abs(expected.o[d]) +
                          0x1p-24;
      const double value = o.at(at * kDim + d);
      if (!(std::abs(value - expected.o[d]) <= room))
        return fmt::format("o[{}] is {}, expected {} +- {}", d, value, expected.o[d], room);
    }
    const double logarithm = lse.at(at);
    if (std::abs(logarithm - expected.lse) <= 0x1p-13) return {};
    return fmt::format("lse is {}, expected {}", logarithm, expected.lse);
  }

  Runtime& runtime_;
  const CascadeCase& test_;
  std::mt19937 random_{1};
  std::int32_t pages_ = 0;
  std::vector<Level> levels_;
  std::int64_t tokens_ = 0;
  std::unique_ptr<AttentionTensor> q_, k_, v_;
};

void check(Runtime& runtime, const CascadeCase& test) {
  CHECK(Cascade(runtime, test).run() == "");
}

}  // namespace

TEST_CASE("attention: a cascade of decoding requests is attention over all of their keys") {
  on_every_target([](Runtime& runtime) {
    // Neither prefix nor own keys are whole pages; a request may have no keys of its own.
    for (const std::int64_t page_size : {1, 5, 16}) {
      check(runtime, {.page_size = page_size,
                      .queries = {1, 1, 1, 1},
                      .levels = {{{4, 150}}, {{1, 5}, {1, 0}, {1, 33}, {1, 16}}}});
    }
  });
}

TEST_CASE("attention: a cascade of requests that append tokens") {
  on_every_target([](Runtime& runtime) {
    check(runtime, {.queries = {3, 17, 0, 1}, .levels = {{{4, 37}}, {{1, 10}, {1, 17}, {1, 4}, {1, 70}}}});
    check(runtime,
          {.dtype = f16, .page_size = 5, .queries = {8, 2}, .levels = {{{2, 101}}, {{1, 8}, {1, 66}}}});
  });
}

TEST_CASE("attention: a cascade of three levels") {
  on_every_target([](Runtime& runtime) {
    check(runtime, {.queries = {1, 1, 1, 1, 1},
                    .levels = {{{5, 70}}, {{2, 19}, {3, 133}}, {{1, 1}, {1, 9}, {1, 16}, {1, 2}, {1, 40}}}});
    check(runtime,
          {.queries = {4, 2, 3}, .levels = {{{3, 21}}, {{1, 7}, {2, 30}}, {{1, 6}, {1, 2}, {1, 9}}}});
  });
}
