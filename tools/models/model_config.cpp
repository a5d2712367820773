#include "tools/models/model_config.h"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"

namespace lathe::models {

namespace {

using nlohmann::json;

class Reader {
 public:
  Reader(const json& object, std::string_view name) : object_(object), name_(name) {}

  Error bad(std::string_view field, std::string_view expected) const {
    const std::string found = object_.contains(field) ? object_[std::string(field)].dump() : "nothing";
    return {.code = ErrorCode::invalid_argument,
            .stage = Stage::api,
            .message = fmt::format("{}: {} is {}, expected {}", name_, field, found, expected),
            .hint = "this takes the config.json of a model as Hugging Face publishes it"};
  }

  /// Empty when the field is not there or null.
  Result<std::optional<std::int64_t>> count(const char* field) const {
    if (!object_.contains(field) || object_[field].is_null()) return std::optional<std::int64_t>{};
    const json& value = object_[field];
    constexpr std::int64_t kMax = std::int64_t{1} << 40;
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > kMax) {
      return bad(field, "a positive integer");
    }
    return std::optional(value.get<std::int64_t>());
  }

  Result<std::int64_t> required_count(const char* field) const {
    LATHE_TRY(const auto value, count(field));
    if (!value) return bad(field, "a positive integer");
    return *value;
  }

 private:
  const json& object_;
  std::string_view name_;
};

Result<DType> dtype_of(const json& object, const Reader& reader, std::vector<std::string>& assumed) {
  // Newer files say "dtype", older ones "torch_dtype".
  for (const char* field : {"torch_dtype", "dtype"}) {
    if (!object.contains(field) || object[field].is_null()) continue;
    const auto dtype =
        object[field].is_string() ? parse_dtype(object[field].get<std::string>()) : std::nullopt;
    if (!dtype || (*dtype != f32 && *dtype != f16 && *dtype != bf16)) {
      return reader.bad(field, "float32, float16 or bfloat16");
    }
    return *dtype;
  }
  assumed.emplace_back("torch_dtype: bfloat16");
  return bf16;
}

Result<double> epsilon_of(const json& object, const Reader& reader, std::vector<std::string>& assumed) {
  if (!object.contains("rms_norm_eps")) {
    assumed.emplace_back("rms_norm_eps: 1e-06");
    return 1e-6;
  }
  const json& value = object["rms_norm_eps"];
  if (!value.is_number() || value.get<double>() < 0)
    return reader.bad("rms_norm_eps", "a number not below 0");
  return value.get<double>();
}

Result<ModelConfig> read(const json& object, std::string_view name) {
  const Reader reader(object, name);
  ModelConfig config;
  if (!object.contains("model_type") || !object["model_type"].is_string()) {
    return reader.bad("model_type", "the name of an architecture");
  }
  config.model_type = object["model_type"].get<std::string>();
  LATHE_TRY(config.hidden_size, reader.required_count("hidden_size"));
  LATHE_TRY(config.layers, reader.required_count("num_hidden_layers"));
  LATHE_TRY(config.heads, reader.required_count("num_attention_heads"));
  LATHE_TRY(const auto kv_heads, reader.count("num_key_value_heads"));
  config.kv_heads = kv_heads.value_or(config.heads);
  LATHE_TRY(const auto head_dim, reader.count("head_dim"));
  config.head_dim = head_dim.value_or(config.hidden_size / config.heads);
  LATHE_TRY(const auto q_lora_rank, reader.count("q_lora_rank"));
  config.q_lora_rank = q_lora_rank.value_or(0);
  LATHE_TRY(const auto kv_lora_rank, reader.count("kv_lora_rank"));
  config.kv_lora_rank = kv_lora_rank.value_or(0);
  LATHE_TRY(const auto qk_rope_head_dim, reader.count("qk_rope_head_dim"));
  config.qk_rope_head_dim = qk_rope_head_dim.value_or(0);
  LATHE_TRY(config.dtype, dtype_of(object, reader, config.assumed));
  LATHE_TRY(config.epsilon, epsilon_of(object, reader, config.assumed));
  LATHE_TRY(config.rope, parse_rope_config(object.dump(), name, config.assumed));
  return config;
}

}  // namespace

Result<ModelConfig> parse_config(std::string_view text, std::string_view name) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) {
    return Error{.code = ErrorCode::invalid_argument,
                 .stage = Stage::api,
                 .message = fmt::format("{}: this is not a JSON object", name),
                 .hint = "this takes the config.json of a model as Hugging Face publishes it"};
  }
  const bool is_multimodal =
      !object.contains("hidden_size") && object.contains("text_config") && object["text_config"].is_object();
  return read(is_multimodal ? object["text_config"] : object, name);
}

}  // namespace lathe::models
