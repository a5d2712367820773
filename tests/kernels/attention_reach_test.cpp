// What attention may look at: hooks are asked about queries and keys that exist, and keys that no query's
// window reaches may be gone.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include <lathe/attention_plan.h>

#include "tests/kernels/attention_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr std::size_t kDim = 64;
constexpr std::uint16_t kOne = 0x3F80, kThree = 0x4040, kNan = 0xFFFF;  // bf16

GuardedBuffer rows_of(Runtime& runtime, std::size_t rows, std::uint16_t element) {
  GuardedBuffer buffer(runtime, rows * kDim * 2);
  const std::vector<std::uint16_t> elements(rows * kDim, element);
  buffer.upload(elements.data());
  return buffer;
}

/// The last four of 200 keys are seen by the only query. `keys` and `values` hold what there is of them.
void check_window(Runtime& runtime, AttentionSpec spec, const GuardedBuffer& keys,
                  const GuardedBuffer& values, const std::vector<std::int32_t>& page_indices,
                  AttentionPlanOptions options) {
  spec.has_window = true;
  const auto kernel = runtime.get(spec).value();
  const std::vector<std::int64_t> queries{0, 1}, lengths{200}, begins{0};
  const AttentionBatch batch{
      .query_indptr = queries, .kv_lengths = lengths, .kv_indptr = begins, .window_left = 3};
  const AttentionPlan plan = AttentionPlan::make(kernel, batch, options).value();
  GuardedBuffer bytes(runtime, plan.bytes().size());
  bytes.upload(plan.bytes().data());
  GuardedBuffer pages(runtime, std::max<std::size_t>(1, page_indices.size()) * 4);
  if (!page_indices.empty()) pages.upload(page_indices.data());
  const GuardedBuffer q = rows_of(runtime, 1, kOne), o = rows_of(runtime, 1, kNan);
  AttentionArgs args{.q = q.data(), .k = keys.data(), .v = values.data(), .o = o.data()};
  args.page_indices = pages.data();
  plan.apply(args, bytes.data());
  CHECK(args.window_left == 3);
  REQUIRE(plan.workspace_bytes() == 0);
  const auto launched = kernel.launch(args, {});
  INFO((launched ? "" : launched.error().text()));
  REQUIRE(launched.has_value());
  REQUIRE(runtime.synchronize({}).has_value());
  std::vector<std::uint16_t> result(kDim);
  std::memcpy(result.data(), o.download().data(), kDim * 2);
  CHECK(result == std::vector<std::uint16_t>(kDim, kThree));
}

}  // namespace

TEST_CASE("attention: a hook is asked about queries and keys that exist") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : {AttentionPhase::prefill, AttentionPhase::decode}) {
      AttentionCase test{.spec = {.query_heads = 6, .kv_heads = 2, .head_dim = 64, .phase = phase}};
      test.spec.mask = AttentionMask::causal;
      test.requests = {{3, 70}, {1, 5}, {37, 37}};
      // Address 8 can be read by nobody.
      test.spec.hooks.logits =
          "return at.key < at.kv_length && at.query < at.query_length ? logit + 1.0f : *(const float*)8;";
      test.logits_hook = [](double logit, std::int64_t) { return logit + 1; };
      const std::string wrong = run_attention(runtime, test);
      CHECK(wrong == "");
    }
  });
}

TEST_CASE("attention: keys that no window reaches may hold anything, and their pages may be gone") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : {AttentionPhase::prefill, AttentionPhase::decode}) {
      AttentionSpec spec{.query_heads = 1, .kv_heads = 1, .head_dim = kDim, .phase = phase};
      GuardedBuffer keys = rows_of(runtime, 200, kNan), values = rows_of(runtime, 200, kNan);
      std::vector<std::uint16_t> elements(200 * kDim, kNan);
      std::fill(elements.end() - 4 * static_cast<std::ptrdiff_t>(kDim), elements.end(), kOne);
      keys.upload(elements.data());
      std::replace(elements.begin(), elements.end(), kOne, kThree);
      values.upload(elements.data());
      for (const std::int64_t split : {0, 64})
        check_window(runtime, spec, keys, values, {}, {.fixed_split = split});

      spec.storage = KvStorage::paged;
      spec.page_size = 1;
      std::vector<std::int32_t> pages(196, -1);
      pages.insert(pages.end(), {2, 0, 3, 1});
      check_window(runtime, spec, rows_of(runtime, 4, kOne), rows_of(runtime, 4, kThree), pages, {});
    }
  });
}
