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

/// Launches per forward pass of the kernel given; 0 if the plan has none such.
std::int64_t count_of(const ModelPlan& plan, const KernelSpec& spec) {
  for (const KernelUse& use : plan.uses) {
    if (use.spec == spec) return use.count;
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
  CHECK(plan.uses.size() == 3);
  CHECK(count_of(plan, norm) == 1);
  norm.residual = Residual::round_then_norm;
  CHECK(count_of(plan, norm) == 2 * given.layers);
  CHECK(plan.warnings.empty());
}

TEST_CASE("Llama and its kin rotate halves of heads, Llama 3.1 with frequencies of its own") {
  RopeSpec rope{.heads = 32, .kv_heads = 8, .head_dim = 128};
  CHECK(count_of(plan_of("mistral-7b-v0.1.json"), rope) == 32);
  rope.frequencies = {
      .scaling = RopeScaling::llama3, .theta = 500000, .factor = 8, .original_positions = 8192};
  CHECK(count_of(plan_of("llama-3.1-8b.json"), rope) == 32);
  CHECK(count_of(plan_of("qwen2.5-7b.json"),
                 RopeSpec{.heads = 28, .kv_heads = 4, .head_dim = 128, .frequencies = {.theta = 1e6}}) == 28);
}

TEST_CASE("Qwen 3 normalises each head of queries and keys before it is rotated") {
  const ModelPlan plan = plan_of("qwen3-8b.json");
  CHECK(plan.uses.size() == 3);
  CHECK(count_of(plan, RopeSpec{.heads = 32,
                                .kv_heads = 8,
                                .head_dim = 128,
                                .frequencies = {.theta = 1e6},
                                .qk_norm = true,
                                .norm_casting = Casting::llama}) == 36);
}

TEST_CASE("Gemma 3 has a theta for layers that see everything and one for those that see a window") {
  const auto config = models::parse_config(
      R"({"model_type": "gemma3_text", "hidden_size": 1152, "num_hidden_layers": 26, "num_attention_heads": 4,
          "num_key_value_heads": 1, "head_dim": 256, "rope_theta": 1000000, "rope_local_base_freq": 10000,
          "sliding_window_pattern": 6, "rms_norm_eps": 1e-6, "torch_dtype": "bfloat16"})",
      "c");
  REQUIRE(config);
  const auto plan = models::plan_model(*config);
  REQUIRE(plan);
  CHECK(plan->warnings.empty());
  RopeSpec rope{.heads = 4, .kv_heads = 1, .head_dim = 256, .frequencies = {.theta = 1e6}, .qk_norm = true};
  rope.norm_weight_offset = 1;
  CHECK(count_of(*plan, rope) == 4);
  rope.frequencies.theta = 1e4;
  CHECK(count_of(*plan, rope) == 22);
}

TEST_CASE("DeepSeek V3 and GPT-OSS have YaRN") {
  RopeSpec deepseek{.heads = 128, .kv_heads = 1, .head_dim = 64, .pairs = RopePairs::interleaved};
  deepseek.frequencies = {.scaling = RopeScaling::yarn,
                          .theta = 10000,
                          .factor = 40,
                          .original_positions = 4096,
                          .mscale = 1,
                          .mscale_all_dim = 1};
  CHECK(count_of(plan_of("deepseek-v3.json"), deepseek) == 61);
  RopeSpec gpt_oss{.heads = 64, .kv_heads = 8, .head_dim = 64};
  gpt_oss.frequencies = {.scaling = RopeScaling::yarn,
                         .theta = 150000,
                         .factor = 32,
                         .original_positions = 4096,
                         .truncate = false};
  CHECK(count_of(plan_of("gpt-oss-20b.json"), gpt_oss) == 24);
}

TEST_CASE("A model with longrope has a rotary embedding for short and one for long sequences") {
  models::ModelConfig config{.model_type = "llama", .hidden_size = 8, .layers = 3, .heads = 2};
  config.kv_heads = 1;
  config.head_dim = 4;
  config.rope.max_positions = 4096;
  config.rope.frequencies = {.scaling = RopeScaling::longrope, .factor = 8, .original_positions = 512};
  config.rope.frequencies.short_factor = config.rope.frequencies.long_factor = {1, 2};
  RopeSpec rope{.heads = 2, .kv_heads = 1, .head_dim = 4, .frequencies = config.rope.frequencies};
  const auto plan = models::plan_model(config);
  REQUIRE(plan);
  CHECK(count_of(*plan, rope) == 3);
  rope.frequencies.length = 4096;
  CHECK(count_of(*plan, rope) == 3);
}

TEST_CASE("Gemma 2 has four norms per layer, offset by one") {
  const ModelPlan plan = plan_of("gemma-2-9b.json");
  RmsNormSpec norm{.hidden_size = 3584, .dtype = f32, .weight_offset = 1.0};
  CHECK(plan.uses.size() == 3);
  CHECK(count_of(plan, RopeSpec{.heads = 16, .kv_heads = 8, .head_dim = 256, .dtype = f32}) == 42);
  CHECK(count_of(plan, norm) == 1 + 2 * 42);
  norm.residual = Residual::round_then_norm;
  CHECK(count_of(plan, norm) == 2 * 42);
}

TEST_CASE("DeepSeek V3 normalises its compressed queries, keys and values") {
  const ModelPlan plan = plan_of("deepseek-v3.json");
  CHECK(count_of(plan, RmsNormSpec{.hidden_size = 1536, .casting = Casting::llama}) == 61);
  CHECK(count_of(plan, RmsNormSpec{.hidden_size = 512, .casting = Casting::llama}) == 61);
  CHECK(count_of(plan, RmsNormSpec{.hidden_size = 7168, .casting = Casting::llama}) == 1);
}

TEST_CASE("DeepSeek V3 without its ranks is refused, and uncompressed queries have no norm") {
  models::ModelConfig config{
      .model_type = "deepseek_v3", .hidden_size = 64, .layers = 2, .heads = 1, .kv_heads = 1, .head_dim = 64};
  CHECK_FALSE(models::plan_model(config));
  config.kv_lora_rank = 16;
  const auto plan = models::plan_model(config);
  REQUIRE(plan);
  CHECK(plan->uses.size() == 3);
}

TEST_CASE("GPT-OSS rounds once") {
  const ModelPlan plan = plan_of("gpt-oss-20b.json");
  CHECK(count_of(plan, RmsNormSpec{.hidden_size = 2880, .casting = Casting::gemma}) == 1);
  CHECK(plan.epsilon == 1e-5);
}

TEST_CASE("An unknown architecture is planned with a warning that says what was assumed") {
  const auto plan = models::plan_model(
      {.model_type = "strange", .hidden_size = 64, .layers = 3, .heads = 1, .kv_heads = 1, .head_dim = 64});
  REQUIRE(plan);
  REQUIRE(plan->warnings.size() == 1);
  CHECK(plan->warnings.front().find("\"strange\"") != std::string::npos);
  CHECK(plan->warnings.front().find("as in Llama") != std::string::npos);
  CHECK(count_of(*plan, RmsNormSpec{.hidden_size = 64,
                                    .casting = Casting::llama,
                                    .residual = Residual::round_then_norm}) == 6);
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
