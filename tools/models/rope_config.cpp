#include "tools/models/rope_config.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"

namespace lathe::models {

namespace {

using nlohmann::json;

class Reader {
 public:
  Reader(const json& object, std::string_view where) : object_(object), where_(where) {}

  Error bad(const std::string& field, std::string_view expected) const {
    const std::string found = object_.contains(field) ? object_[field].dump() : "nothing";
    return {.code = ErrorCode::invalid_argument,
            .stage = Stage::api,
            .message = fmt::format("{}{} is {}, expected {}", where_, field, found, expected),
            .hint = "this takes the config.json of a model as Hugging Face publishes it"};
  }
  bool has(const std::string& field) const { return object_.contains(field) && !object_[field].is_null(); }

  /// What is not there leaves `value` as it is.
  Result<void> number(const std::string& field, double& value) const {
    if (!has(field)) return {};
    if (!object_[field].is_number()) return bad(field, "a number");
    value = object_[field].get<double>();
    return {};
  }
  Result<void> count(const std::string& field, std::int64_t& value) const {
    if (!has(field)) return {};
    if (!object_[field].is_number_integer() || object_[field].get<std::int64_t>() < 1)
      return bad(field, "a positive integer");
    value = object_[field].get<std::int64_t>();
    return {};
  }
  template <class T>
  Result<void> list(const std::string& field, std::vector<T>& values) const {
    if (!has(field)) return {};
    if (!object_[field].is_array()) return bad(field, "a list of numbers");
    for (const json& value : object_[field]) {
      if (!value.is_number()) return bad(field, "a list of numbers");
      values.push_back(value.get<T>());
    }
    return {};
  }
  Result<void> flag(const std::string& field, bool& value) const {
    if (!has(field)) return {};
    if (!object_[field].is_boolean()) return bad(field, "true or false");
    value = object_[field].get<bool>();
    return {};
  }

 private:
  const json& object_;
  std::string where_;
};

Result<void> read_scaling(const Reader& reader, std::string_view type, RopeConfig& config) {
  RopeFrequencies& f = config.frequencies;
  LATHE_CHECK(reader.number("factor", f.factor));
  std::int64_t original = f.original_positions;
  LATHE_CHECK(reader.count("original_max_position_embeddings", original));
  if (type == "linear") {
    f.scaling = RopeScaling::linear;
    f.original_positions = 0;
    return {};
  }
  f.original_positions = original > 0 ? original : config.max_positions;
  if (type == "dynamic") {
    f.scaling = RopeScaling::dynamic_ntk;
  } else if (type == "llama3") {
    f.scaling = RopeScaling::llama3;
    LATHE_CHECK(reader.number("low_freq_factor", f.low_frequency_factor));
    LATHE_CHECK(reader.number("high_freq_factor", f.high_frequency_factor));
  } else if (type == "yarn") {
    f.scaling = RopeScaling::yarn;
    LATHE_CHECK(reader.number("beta_fast", f.beta_fast));
    LATHE_CHECK(reader.number("beta_slow", f.beta_slow));
    LATHE_CHECK(reader.number("mscale", f.mscale));
    LATHE_CHECK(reader.number("mscale_all_dim", f.mscale_all_dim));
    LATHE_CHECK(reader.flag("truncate", f.truncate));
  } else if (type == "longrope" || type == "su") {
    f.scaling = RopeScaling::longrope;
    LATHE_CHECK(reader.list("short_factor", f.short_factor));
    LATHE_CHECK(reader.list("long_factor", f.long_factor));
    // The factor is of the attention factor only, and how much longer contexts became.
    if (f.original_positions > 0 && config.max_positions > 0)
      f.factor = static_cast<double>(config.max_positions) / static_cast<double>(f.original_positions);
  } else {
    return reader.bad("rope_type", "default, linear, dynamic, llama3, yarn, longrope or mrope");
  }
  if ((type == "yarn" || type == "longrope" || type == "su") && reader.has("attention_factor")) {
    double factor = 1;
    LATHE_CHECK(reader.number("attention_factor", factor));
    f.attention_factor = factor;
  }
  return {};
}

}  // namespace

Result<RopeConfig> parse_rope_config(std::string_view text, std::string_view name,
                                     std::vector<std::string>& assumed) {
  const json object = json::parse(text, nullptr, false);
  const std::string where = fmt::format("{}: ", name);
  const Reader outer(object, where);
  RopeConfig config;
  LATHE_CHECK(outer.count("max_position_embeddings", config.max_positions));
  LATHE_CHECK(outer.number("rope_local_base_freq", config.local_theta));
  LATHE_CHECK(outer.count("sliding_window_pattern", config.sliding_pattern));
  LATHE_CHECK(outer.number("partial_rotary_factor", config.rotated_part));
  if (!(config.rotated_part > 0 && config.rotated_part <= 1))
    return outer.bad("partial_rotary_factor", "a number above 0, up to 1");
  // Longrope keeps this beside the lists, not with them.
  LATHE_CHECK(outer.count("original_max_position_embeddings", config.frequencies.original_positions));
  const char* const field = outer.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const json none = json::object();
  if (outer.has(field) && !object[field].is_object()) return outer.bad(field, "an object or null");
  const json& inner = outer.has(field) ? object[field] : none;
  const Reader reader(inner, fmt::format("{}{}.", where, field));
  if (!outer.has("rope_theta") && !reader.has("rope_theta")) assumed.emplace_back("rope_theta: 10000");
  LATHE_CHECK(outer.number("rope_theta", config.frequencies.theta));
  LATHE_CHECK(reader.number("rope_theta", config.frequencies.theta));
  LATHE_CHECK(reader.list("mrope_section", config.sections));
  LATHE_CHECK(reader.flag("mrope_interleaved", config.sections_interleaved));
  const char* const type_field = reader.has("rope_type") ? "rope_type" : "type";
  if (reader.has(type_field) && !inner[type_field].is_string()) return reader.bad(type_field, "a text");
  const std::string type = reader.has(type_field) ? inner[type_field].get<std::string>() : "default";
  if (type == "default" || type == "mrope") {
    config.frequencies.original_positions = 0;
    return config;
  }
  LATHE_CHECK(read_scaling(reader, type, config));
  return config;
}

}  // namespace lathe::models
