#include "tools/models/model_config.h"

#include "tests/support/catch.h"

using namespace lathe;
using models::parse_config;

namespace {
std::string config(const std::string& more) {
  return R"({"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32)" +
         more + "}";
}
}  // namespace

TEST_CASE("What the file leaves out follows from the rest, and what cannot is told") {
  const auto parsed = parse_config(config(""), "c");
  REQUIRE(parsed);
  CHECK(parsed->kv_heads == 32);
  CHECK(parsed->head_dim == 128);
  CHECK(parsed->dtype == bf16);
  CHECK(parsed->q_lora_rank == 0);
  CHECK(parsed->assumed == std::vector<std::string>{"torch_dtype: bfloat16", "rms_norm_eps: 1e-06"});
}

TEST_CASE("What the file says is taken") {
  const auto parsed = parse_config(
      config(
          R"(, "head_dim": 64, "num_key_value_heads": 8, "torch_dtype": "float16", "rms_norm_eps": 1e-5, "q_lora_rank": null)"),
      "c");
  REQUIRE(parsed);
  CHECK(parsed->head_dim == 64);
  CHECK(parsed->kv_heads == 8);
  CHECK(parsed->dtype == f16);
  CHECK(parsed->epsilon == 1e-5);
  CHECK(parsed->assumed.empty());
}

TEST_CASE("The text model of a multimodal one is found") {
  const auto parsed = parse_config(R"({"model_type": "outer", "text_config": )" + config("") + "}", "c");
  REQUIRE(parsed);
  CHECK(parsed->model_type == "llama");
}

TEST_CASE("A field that is missing or wrong is named with what was expected") {
  const auto missing = parse_config(R"({"model_type": "llama"})", "c.json");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message == "c.json: hidden_size is nothing, expected a positive integer");
  const std::string wrong =
      GENERATE(std::string(R"(, "head_dim": -1)"), std::string(R"(, "head_dim": "x")"),
               std::string(R"(, "torch_dtype": "int8")"), std::string(R"(, "rms_norm_eps": -1)"),
               std::string(R"(, "num_key_value_heads": 1.5)"));
  CHECK_FALSE(parse_config(config(wrong), "c"));
  CHECK_FALSE(parse_config("[]", "c"));
  CHECK_FALSE(parse_config("{", "c"));
}
