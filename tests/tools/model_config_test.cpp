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
  CHECK(parsed->assumed ==
        std::vector<std::string>{"torch_dtype: bfloat16", "rms_norm_eps: 1e-06", "rope_theta: 10000"});
}

TEST_CASE("What the file says is taken") {
  const auto parsed = parse_config(
      config(
          R"(, "head_dim": 64, "num_key_value_heads": 8, "torch_dtype": "float16", "rms_norm_eps": 1e-5, "q_lora_rank": null, "rope_theta": 5e5)"),
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

TEST_CASE("A rotary embedding is read in every form that configurations have had") {
  const auto rope_of = [](const std::string& more) {
    auto parsed = parse_config(config(more), "c");
    REQUIRE(parsed);
    return parsed->rope;
  };
  CHECK(rope_of(R"(, "rope_theta": 5e5, "rope_scaling": null)").frequencies == RopeFrequencies{.theta = 5e5});
  CHECK(rope_of(R"(, "rope_scaling": {"type": "linear", "factor": 4.0})").frequencies ==
        RopeFrequencies{.scaling = RopeScaling::linear, .factor = 4});
  CHECK(rope_of(R"(, "max_position_embeddings": 2048, "rope_scaling": {"type": "dynamic", "factor": 2})")
            .frequencies ==
        RopeFrequencies{.scaling = RopeScaling::dynamic_ntk, .factor = 2, .original_positions = 2048});
  CHECK(
      rope_of(
          R"(, "rope_parameters": {"rope_theta": 7, "rope_type": "yarn", "factor": 4, "attention_factor": 1.5,
                     "original_max_position_embeddings": 64, "beta_fast": 16})")
          .frequencies == RopeFrequencies{.scaling = RopeScaling::yarn,
                                          .theta = 7,
                                          .factor = 4,
                                          .original_positions = 64,
                                          .beta_fast = 16,
                                          .attention_factor = 1.5});
  const auto phi = rope_of(R"(, "max_position_embeddings": 4096, "original_max_position_embeddings": 512,
                              "rope_scaling": {"type": "longrope", "short_factor": [1, 2], "long_factor": [3, 4]},
                              "partial_rotary_factor": 0.75)");
  CHECK(phi.frequencies.factor == 8);
  CHECK(phi.frequencies.long_factor == std::vector<double>{3, 4});
  CHECK(phi.rotated_part == 0.75);
  const auto qwen = rope_of(R"(, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]})");
  CHECK(qwen.sections == std::vector<std::int64_t>{16, 24, 24});
  CHECK(qwen.frequencies == RopeFrequencies{});
}

TEST_CASE("A rotary embedding's field that is wrong is named with what was expected") {
  const auto message = [](const std::string& more) {
    const auto parsed = parse_config(config(more), "c");
    REQUIRE_FALSE(parsed);
    return parsed.error().message;
  };
  CHECK(message(R"(, "rope_theta": "x")") == "c: rope_theta is \"x\", expected a number");
  CHECK(message(R"(, "rope_scaling": 4)") == "c: rope_scaling is 4, expected an object or null");
  CHECK(message(R"(, "rope_scaling": {"rope_type": "new", "factor": 2})") ==
        "c: rope_scaling.rope_type is \"new\", expected default, linear, dynamic, llama3, yarn, longrope or "
        "mrope");
  CHECK(message(R"(, "partial_rotary_factor": 1.5)") ==
        "c: partial_rotary_factor is 1.5, expected a number above 0, up to 1");
  CHECK(message(R"(, "rope_scaling": {"type": "longrope", "short_factor": 1})") ==
        "c: rope_scaling.short_factor is 1, expected a list of numbers");
}
