#include "tools/models/model_plan.h"

#include <algorithm>

#include "codegen/op.h"
#include "tests/support/catch.h"
#include "tools/lathe/files.h"
#include "tools/models/shipped_configs.h"

using namespace lathe;
using models::KernelUse;
using models::ModelPlan;

namespace {

ModelPlan plan_of(const std::string& file) {
  const auto text = tools::read_file(std::string(LATHE_TEST_DATA) + "/" + file);
  REQUIRE(text);
  const auto config = models::parse_config(*text, file);
  REQUIRE(config);
  auto plan = models::plan_model(*config);
  REQUIRE(plan);
  return *std::move(plan);
}

/// Launches per forward pass of the norm given; 0 if the plan has none such.
std::int64_t count_of(const ModelPlan& plan, const RmsNormSpec& spec) {
  for (const KernelUse& use : plan.uses) {
    if (use.spec == KernelSpec(spec)) return use.count;
  }
  return 0;
}

}  // namespace

TEST_CASE("Llama and its kin have two norms per layer and one at the end") {
  struct Case {
    const char* file;
    std::int64_t hidden_size;
    std::int64_t layers;
  };
  const Case given = GENERATE(Case{"llama-3.1-8b.json", 4096, 32}, Case{"mistral-7b-v0.1.json", 4096, 32},
                              Case{"qwen2.5-7b.json", 3584, 28});
  const ModelPlan plan = plan_of(given.file);
  RmsNormSpec norm{.hidden_size = given.hidden_size, .dtype = bf16, .casting = Casting::llama};
  CHECK(plan.uses.size() == 2);
  CHECK(count_of(plan, norm) == 1);
  norm.residual = Residual::round_then_norm;
  CHECK(count_of(plan, norm) == 2 * given.layers);
  CHECK(plan.warnings.empty());
}

TEST_CASE("Qwen 3 also normalises each head of queries and keys") {
  const ModelPlan plan = plan_of("qwen3-8b.json");
  CHECK(plan.uses.size() == 4);
  CHECK(count_of(plan, {.hidden_size = 128, .casting = Casting::llama, .heads = 32}) == 36);
  CHECK(count_of(plan, {.hidden_size = 128, .casting = Casting::llama, .heads = 8}) == 36);
}

TEST_CASE("Gemma 2 has four norms per layer, offset by one") {
  const ModelPlan plan = plan_of("gemma-2-9b.json");
  RmsNormSpec norm{.hidden_size = 3584, .dtype = f32, .weight_offset = 1.0};
  CHECK(plan.uses.size() == 2);
  CHECK(count_of(plan, norm) == 1 + 2 * 42);
  norm.residual = Residual::round_then_norm;
  CHECK(count_of(plan, norm) == 2 * 42);
}

TEST_CASE("DeepSeek V3 normalises its compressed queries, keys and values") {
  const ModelPlan plan = plan_of("deepseek-v3.json");
  CHECK(count_of(plan, {.hidden_size = 1536, .casting = Casting::llama}) == 61);
  CHECK(count_of(plan, {.hidden_size = 512, .casting = Casting::llama}) == 61);
  CHECK(count_of(plan, {.hidden_size = 7168, .casting = Casting::llama}) == 1);
}

TEST_CASE("DeepSeek V3 without its ranks is refused, and uncompressed queries have no norm") {
  models::ModelConfig config{.model_type = "deepseek_v3", .hidden_size = 64, .layers = 2, .heads = 1};
  CHECK_FALSE(models::plan_model(config));
  config.kv_lora_rank = 16;
  const auto plan = models::plan_model(config);
  REQUIRE(plan);
  CHECK(plan->uses.size() == 3);
}

TEST_CASE("GPT-OSS rounds once") {
  const ModelPlan plan = plan_of("gpt-oss-20b.json");
  CHECK(count_of(plan, {.hidden_size = 2880, .casting = Casting::gemma}) == 1);
  CHECK(plan.epsilon == 1e-5);
}

TEST_CASE("An unknown architecture is planned with a warning that says what was assumed") {
  const auto plan = models::plan_model({.model_type = "strange", .hidden_size = 64, .layers = 3, .heads = 1});
  REQUIRE(plan);
  REQUIRE(plan->warnings.size() == 1);
  CHECK(plan->warnings.front().find("\"strange\"") != std::string::npos);
  CHECK(plan->warnings.front().find("as in Llama") != std::string::npos);
  CHECK(count_of(*plan,
                 {.hidden_size = 64, .casting = Casting::llama, .residual = Residual::round_then_norm}) == 6);
}

TEST_CASE("Every planned spec is one that compiles") {
  for (const char* file :
       {"llama-3.1-8b.json", "qwen3-8b.json", "gemma-2-9b.json", "deepseek-v3.json", "gpt-oss-20b.json"}) {
    for (const KernelUse& use : plan_of(file).uses) CHECK(codegen::op_of(use.spec).normalize(use.spec));
  }
}

TEST_CASE("The shipped configuration is the one of Llama 3.1 8B") {
  const auto shipped = models::parse_config(models::llama_3_1_8b_config(), "shipped");
  REQUIRE(shipped);
  CHECK(models::plan_model(*shipped)->uses.size() == plan_of("llama-3.1-8b.json").uses.size());
  CHECK(shipped->hidden_size == 4096);
}
