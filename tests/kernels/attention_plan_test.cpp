// What plans promise of attention's results: launches that stay as they were captured take other plans, the
// same batch gives the same bits, and with a fixed split a request's result does not depend on its batch.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/kernels/attention_tensors.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// All of o's and lse's bytes.
struct Results {
  std::vector<std::byte> o;
  std::vector<std::byte> lse;

  friend bool operator==(const Results&, const Results&) = default;
};

/// Launches on a batch of some of the tensors' requests.
Results results_of(Runtime& runtime, const KernelFor<AttentionSpec>& kernel, const AttentionTensors& tensors,
                   const AttentionBatch& batch, const AttentionPlanOptions& options) {
  const AttentionPlan plan = AttentionPlan::make(kernel, batch, options).value();
  GuardedBuffer bytes(runtime, plan.bytes().size());
  bytes.upload(plan.bytes().data());
  GuardedBuffer workspace(runtime, plan.workspace_bytes());
  AttentionArgs args = tensors.args();
  plan.apply(args, bytes.data());
  args.workspace = workspace.data();
  args.workspace_bytes = static_cast<Index>(plan.workspace_bytes());
  tensors.o->device.upload(tensors.o->before.bytes().data());
  tensors.lse->device.upload(tensors.lse->before.bytes().data());
  REQUIRE(kernel.launch(args, {}).has_value());
  REQUIRE(runtime.synchronize({}).has_value());
  return {tensors.o->device.download(), tensors.lse->device.download()};
}

AttentionBatch only(const AttentionBatch& batch, std::size_t request) {
  return {.query_indptr = batch.query_indptr.subspan(request, 2),
          .kv_lengths = batch.kv_lengths.subspan(request, 1),
          .kv_indptr = batch.kv_indptr.subspan(request, 1),
          .window_left = batch.window_left};
}

/// Whether the rows of one request are alike, bit by bit. Tensors are tightly packed.
bool agree(const AttentionTensors& tensors, const AttentionSpec& spec, std::size_t request, Index queries,
           const Results& a, const Results& b) {
  const auto same = [&](const std::vector<std::byte>& x, const std::vector<std::byte>& y, Index row_bytes) {
    const auto begin = static_cast<std::ptrdiff_t>(tensors.token(request, 0) * row_bytes);
    const auto end = begin + static_cast<std::ptrdiff_t>(queries * row_bytes);
    return std::vector(x.begin() + begin, x.begin() + end) == std::vector(y.begin() + begin, y.begin() + end);
  };
  return same(a.o, b.o, spec.query_heads * spec.head_dim * 2) && same(a.lse, b.lse, spec.query_heads * 4);
}

AttentionSpec paged(AttentionPhase phase, std::int64_t group) {
  return {.query_heads = 2 * group,
          .kv_heads = 2,
          .head_dim = 64,
          .phase = phase,
          .storage = KvStorage::paged,
          .page_size = 16,
          .mask = AttentionMask::causal,
          .store_lse = true};
}

}  // namespace

TEST_CASE("attention: a launch as it was captured takes plans of other lengths") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t queries : {1, 3}) {
      // 65 keys and more are two splits, 129 three, with a merge each.
      const AttentionCase test{.spec = paged(AttentionPhase::decode, queries == 1 ? 8 : 4),
                               .requests = {{queries, 160}, {queries, 160}, {queries, 160}, {queries, 160}},
                               .plan = {.fixed_split = 64}};
      CHECK(replay_attention(runtime, test,
                             {{33, 17, 65, 129}, {160, 160, 160, 160}, {1, 0, 64, 3}, {129, 65, 17, 33}}) ==
            "");
    }
    // Splits that follow from the lengths, of which there are as many as fill the device at most.
    const AttentionCase test{.spec = paged(AttentionPhase::prefill, 2), .requests = {{20, 600}, {1, 600}}};
    CHECK(replay_attention(runtime, test, {{600, 20}, {30, 600}, {0, 1}, {600, 600}}) == "");
  });
}

TEST_CASE("attention: with a fixed split a request alone is what it is in a batch, bit by bit") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : {AttentionPhase::prefill, AttentionPhase::decode}) {
      const std::int64_t queries = phase == AttentionPhase::prefill ? 21 : 1;
      const AttentionCase test{.spec = paged(phase, 4),
                               .requests = {{queries, 300}, {2, 64}, {queries, 417}, {1, 129}}};
      const AttentionPlanOptions options{.fixed_split = 128};
      const auto kernel = runtime.get(test.spec).value();
      const AttentionTensors tensors(runtime, test);
      const AttentionBatch batch = tensors.batch();
      const Results all = results_of(runtime, kernel, tensors, batch, options);
      CHECK(all == results_of(runtime, kernel, tensors, batch, options));
      for (std::size_t r = 0; r < test.requests.size(); ++r) {
        INFO("request " << r);
        const Results alone = results_of(runtime, kernel, tensors, only(batch, r), options);
        CHECK(agree(tensors, test.spec, r, test.requests[r].queries, all, alone));
      }
    }
  });
}

TEST_CASE("attention: the same batch gives the same bits, split as the device likes") {
  on_every_target([](Runtime& runtime) {
    const AttentionCase test{.spec = paged(AttentionPhase::decode, 4), .requests = {{1, 1500}, {1, 700}}};
    const auto kernel = runtime.get(test.spec).value();
    const AttentionTensors tensors(runtime, test);
    const Results once = results_of(runtime, kernel, tensors, tensors.batch(), {});
    CHECK(once == results_of(runtime, kernel, tensors, tensors.batch(), {}));
  });
}
