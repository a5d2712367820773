#include <lathe/attention_plan.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "codegen/ops/attention.h"
#include "runtime/kernel_state.h"
#include "tests/support/catch.h"
#include "tests/support/fake_executor.h"

using namespace lathe;

namespace {

/// A kernel of 16 rows per block on a device with 4 processors, the fake's.
KernelFor<AttentionSpec> kernel() {
  auto state = std::make_shared<Kernel::State>();
  state->spec =
      codegen::normalize_attention(AttentionSpec{.query_heads = 8, .kv_heads = 2, .head_dim = 64}).value();
  state->entries = {{"attend", {.work_per_block = 16}}, {"merge"}};
  state->op = &codegen::op_of(state->spec);
  state->executor = std::make_shared<tests::FakeExecutor>(Target{Backend::cuda, "sm_80", {}});
  return KernelFor<AttentionSpec>(Kernel(std::move(state)));
}

const std::vector<std::int64_t> kQueries{0, 1, 2};
const std::vector<std::int64_t> kLengths{3000, 40};
const std::vector<std::int64_t> kBegins{0, 3000};

AttentionBatch batch() {
  return {.query_indptr = kQueries, .kv_lengths = kLengths, .kv_indptr = kBegins};
}

}  // namespace

TEST_CASE("a plan's bytes hold the lists that apply points to") {
  const AttentionPlan plan = AttentionPlan::make(kernel(), batch(), {.fixed_split = 1024}).value();
  CHECK(plan.work_items() == 4);
  CHECK(plan.merge_items() == 1);
  CHECK(plan.splits() == 3);
  // Each of 3 partial results: 2 heads, 16 rows of 64 floats and one more.
  CHECK(plan.workspace_bytes() == 3 * 2 * 16 * 65 * sizeof(float));

  AttentionArgs args;
  plan.apply(args, plan.bytes().data());
  CHECK(args.work_items == 4);
  CHECK(args.merge_items == 1);
  CHECK(args.slots == 3);
  CHECK(args.work[0].kv_end - args.work[0].kv_begin == 1024);
  CHECK(args.work[3].request == 1);
  CHECK(args.merges[0].slots == 3);
  CHECK(args.requests[0].kv_length == 3000);
  CHECK(args.requests[1].kv_begin == 3000);
  CHECK(args.requests[1].query_begin == 1);
  const auto* end = plan.bytes().data() + plan.bytes().size();
  CHECK(reinterpret_cast<const std::byte*>(args.requests + 2) == end);
}

TEST_CASE("plans of the same room ask for the same arguments and the same memory") {
  const AttentionRoom places{.requests = 4, .work_items = 10, .merge_items = 5, .splits = 9};
  const AttentionPlanOptions room{.fixed_split = 1024, .room = places};
  const AttentionPlan first = AttentionPlan::make(kernel(), batch(), room).value();
  const std::vector<std::int64_t> queries{0, 1, 2, 3};
  const std::vector<std::int64_t> lengths{100, 2000, 5000};
  const std::vector<std::int64_t> begins{0, 100, 2100};
  const AttentionPlan second =
      AttentionPlan::make(kernel(), {.query_indptr = queries, .kv_lengths = lengths, .kv_indptr = begins},
                          room)
          .value();
  AttentionArgs of_first, of_second;
  first.apply(of_first, nullptr);
  second.apply(of_second, nullptr);
  CHECK(std::memcmp(&of_first, &of_second, sizeof of_first) == 0);
  CHECK(first.bytes().size() == second.bytes().size());
  CHECK(first.workspace_bytes() == 9 * 2 * 16 * 65 * sizeof(float));
  CHECK(second.workspace_bytes() == first.workspace_bytes());
  CHECK(first.work_items() == 10);
  CHECK(second.merge_items() == 5);
  AttentionArgs args;
  first.apply(args, first.bytes().data());
  for (Index i = 4; i < 10; ++i) CHECK(args.work[i].request == -1);
  for (Index i = 1; i < 5; ++i) CHECK(args.merges[i].request == -1);
}

TEST_CASE("a plan that the room is too small for is refused, by what is missing") {
  const AttentionRoom room =
      AttentionPlan::room_for(kernel(), {.requests = 2, .queries = 2, .keys = 3000}, {.fixed_split = 1024})
          .value();
  CHECK(room == AttentionRoom{.requests = 2, .work_items = 6, .merge_items = 2, .splits = 6});
  const auto refusal = [&](AttentionRoom small) {
    const auto plan = AttentionPlan::make(kernel(), batch(), {.fixed_split = 1024, .room = small});
    REQUIRE(!plan);
    CHECK(plan.error().code == ErrorCode::invalid_argument);
    CHECK(plan.error().hint.find("AttentionPlan::room_for") != std::string::npos);
    return plan.error().message;
  };
  const auto with = [&](std::int64_t AttentionRoom::* member, std::int64_t value) {
    AttentionRoom changed = room;
    changed.*member = value;
    return changed;
  };
  CHECK(refusal(with(&AttentionRoom::requests, 1)) ==
        "attention plan: the batch takes 2 requests, the room has 1");
  CHECK(refusal(with(&AttentionRoom::work_items, 3)) ==
        "attention plan: the batch takes 4 work_items, the room has 3");
  CHECK(refusal(with(&AttentionRoom::merge_items, 0)) ==
        "attention plan: the batch takes 1 merge_items, the room has 0");
  CHECK(refusal(with(&AttentionRoom::splits, 2)) ==
        "attention plan: the batch takes 3 splits, the room has 2");
  CHECK(refusal(with(&AttentionRoom::splits, 7)) ==
        "attention plan: room.splits is 7, more than room.work_items, which is 6");
  const auto huge = AttentionPlan::make(
      kernel(), batch(),
      {.fixed_split = 1024, .room = with(&AttentionRoom::work_items, std::int64_t{1} << 60)});
  REQUIRE(!huge);
  CHECK(huge.error().message ==
        "attention plan: room.work_items is 1152921504606846976, allowed are 0 to 1073741311");
}

TEST_CASE("the same batch gives the same plan") {
  const auto bytes = [] {
    const AttentionPlan plan = AttentionPlan::make(kernel(), batch()).value();
    return std::vector<std::byte>(plan.bytes().begin(), plan.bytes().end());
  };
  CHECK(bytes() == bytes());
}

TEST_CASE("a batch that makes no sense has no plan") {
  const auto plan = AttentionPlan::make(kernel(), {.query_indptr = kLengths, .kv_lengths = kLengths});
  REQUIRE(!plan);
  CHECK(plan.error().code == ErrorCode::invalid_argument);
}
