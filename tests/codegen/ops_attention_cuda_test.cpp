// How attention is rendered for NVIDIA GPUs, and what ptxas makes of it.
#include <algorithm>
#include <string>
#include <utility>

#include "codegen/ops/attention.h"
#include "codegen/ops/attention_cuda_tile.h"
#include "tests/support/catch.h"

using lathe::AttentionPhase;
using lathe::AttentionSpec;
using lathe::Backend;
using lathe::Target;
using namespace lathe::codegen;

namespace {

AttentionSpec normal(AttentionSpec spec) {
  return std::get<AttentionSpec>(normalize_attention(spec).value());
}

std::string value_of(const RenderPlan& plan, std::string_view name) {
  for (const auto& [known, value] : plan.parameters) {
    if (known == name) return value;
  }
  FAIL("no parameter " << name);
  return {};
}

}  // namespace

TEST_CASE("attention's choices reach the template as its own names") {
  AttentionSpec spec{.query_heads = 40, .kv_heads = 8, .head_dim = 128, .value_dim = 64};
  spec.dtype = lathe::f16;
  spec.kv_dtype = lathe::e4m3;
  spec.kv_scale = lathe::AttentionScale::head;
  spec.storage = lathe::KvStorage::paged;
  spec.page_size = 16;
  spec.index_dtype = lathe::i64;
  spec.mask = lathe::AttentionMask::causal;
  const RenderPlan plan = plan_attention_cuda(normal(spec), {Backend::cuda, "sm_90a", {}}).value();
  CHECK(plan.template_name == "cuda/attention.cu");
  REQUIRE(plan.entries.size() == 2);
  CHECK(plan.entries[0].name == "lathe_attention");
  CHECK(plan.entries[0].launch.work_per_block == 128);
  CHECK(plan.entries[1].name == "lathe_attention_merge");
  CHECK(value_of(plan, "Element") == "F16");
  CHECK(value_of(plan, "Stored") == "E4m3");
  CHECK(value_of(plan, "PageIndex") == "long long");
  CHECK(value_of(plan, "kGroup") == "5");
  CHECK(value_of(plan, "kValueDim") == "64");
  CHECK(value_of(plan, "kStorage") == "KvStorage::paged");
  CHECK(value_of(plan, "kKvScale") == "AttentionScale::head");
  CHECK(value_of(plan, "kMask") == "Mask::causal");
  CHECK(value_of(plan, "kHasAlibi") == "false");
  CHECK(plan.extra_headers.empty());
}

TEST_CASE("copies of keys are no wider than alignment and rows allow") {
  const auto copy_bytes = [](AttentionSpec spec) {
    const RenderPlan plan = plan_attention_cuda(normal(spec), {Backend::cuda, "sm_80", {}}).value();
    return value_of(plan, "kQueryCopyBytes") + " " + value_of(plan, "kKeyCopyBytes");
  };
  AttentionSpec spec{.query_heads = 1, .kv_heads = 1, .head_dim = 72};
  CHECK(copy_bytes(spec) == "16 16");
  spec.alignment = 2;
  CHECK(copy_bytes(spec) == "2 2");
  spec.alignment = 16;
  spec.kv_dtype = lathe::e5m2;  // rows of 72 bytes
  CHECK(copy_bytes(spec) == "16 8");
  spec.alignment = 1;
  CHECK(copy_bytes(spec) == "2 1");
}

TEST_CASE("hooks of attention come as a header") {
  AttentionSpec spec{.query_heads = 1, .kv_heads = 1, .head_dim = 64};
  spec.hooks.logits = "return logit;";
  const RenderPlan plan = plan_attention_cuda(normal(spec), {Backend::cuda, "sm_80", {}}).value();
  REQUIRE(plan.extra_headers.size() == 1);
  CHECK(plan.extra_headers[0].name == "user/attention_hooks.h");
  CHECK(value_of(plan, "kHasLogitsHook") == "true");
  CHECK(value_of(plan, "kHasMaskHook") == "false");
}

TEST_CASE("attention that rotates gets turns per position, and stages its keys") {
  AttentionSpec spec{.query_heads = 4, .kv_heads = 2, .head_dim = 64};
  const Target target{Backend::cuda, "sm_90a", {}};
  const RenderPlan plain = plan_attention_cuda(normal(spec), target).value();
  CHECK(value_of(plain, "kHasRope") == "false");
  CHECK(value_of(plain, "kTurns") == "{0}");
  spec.rope = lathe::RopeFrequencies{};
  const RenderPlan plan = plan_attention_cuda(normal(spec), target).value();
  CHECK(value_of(plan, "kHasRope") == "true");
  CHECK(value_of(plan, "kRopeFactor") == "static_cast<float>(0x1p+0)");
  const std::string turns = value_of(plan, "kTurns");
  CHECK(std::count(turns.begin(), turns.end(), ',') == 31);  // one for each pair
  CHECK(turns.starts_with("{0x28be60db9391054a,"));          // 2^64 / 2 pi
  CHECK(stages_keys(normal(spec)));
  // A tile as it came and one to multiply.
  CHECK(std::stoi(value_of(plan, "kSharedBytes")) > std::stoi(value_of(plain, "kSharedBytes")));
}

TEST_CASE("attention that a GPU's shared memory cannot hold is refused with what it takes") {
  AttentionSpec spec{.query_heads = 16, .kv_heads = 1, .head_dim = 576, .value_dim = 512};
  spec.hooks.key = "return value;";
  const auto plan = plan_attention_cuda(normal(spec), {Backend::cuda, "sm_86", {}});
  REQUIRE(!plan);
  CHECK(plan.error().code == lathe::ErrorCode::unsupported);
  CHECK(plan.error().message.find("and sm_86 has 101376") != std::string::npos);
  CHECK(plan_attention_cuda(normal(spec), {Backend::cuda, "sm_90a", {}}).has_value());
}

TEST_CASE("attention for a GPU that is not known is refused with those that are") {
  const auto plan = plan_attention_cuda(normal({.query_heads = 1, .kv_heads = 1, .head_dim = 64}),
                                        {Backend::cuda, "sm_42", {}});
  REQUIRE(!plan);
  CHECK(plan.error().code == lathe::ErrorCode::unsupported);
  CHECK(plan.error().message == "attention: cuda:sm_42 is not an architecture that Lathe knows");
}
