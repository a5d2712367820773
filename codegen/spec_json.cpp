#include "codegen/spec_json.h"

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "codegen/edit_distance.h"
#include "codegen/spec_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array<std::string_view, 8> kDTypeNames{"f32",  "f16", "bf16", "e4m3",
                                                      "e5m2", "i32", "i64",  "u8"};

Error bad(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = std::move(message),
          .hint = std::move(hint)};
}

Error wrong_type(std::string_view field, const json& value, std::string_view expected) {
  return bad(fmt::format("{} is {}, expected {}", field, value.dump(), expected));
}

Error unknown_name(std::string_view field, const std::string& given,
                   std::span<const std::string_view> known) {
  return bad(fmt::format("{} is \"{}\", expected one of {}{}", field, given, fmt::join(known, ", "),
                         did_you_mean(given, known)));
}

Result<void> read(std::string_view field, const json& value, bool& to) {
  if (!value.is_boolean()) return wrong_type(field, value, "true or false");
  to = value.get<bool>();
  return {};
}

Result<void> read(std::string_view field, const json& value, std::int64_t& to) {
  if (!value.is_number_integer()) return wrong_type(field, value, "an integer");
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    return wrong_type(field, value, "an integer of 64 bits");
  }
  to = value.get<std::int64_t>();
  return {};
}

Result<void> read(std::string_view field, const json& value, double& to) {
  if (!value.is_number()) return wrong_type(field, value, "a number");
  to = value.get<double>();
  return {};
}

Result<void> read(std::string_view field, const json& value, DType& to) {
  if (!value.is_string()) return wrong_type(field, value, "the name of a dtype");
  const auto parsed = parse_dtype(value.get<std::string>());
  if (!parsed) return unknown_name(field, value.get<std::string>(), kDTypeNames);
  to = *parsed;
  return {};
}

template <class T>
  requires std::is_enum_v<T>
Result<void> read(std::string_view field, const json& value, T& to) {
  const auto& names = EnumNames<T>::names;
  if (!value.is_string()) return wrong_type(field, value, fmt::format("one of {}", fmt::join(names, ", ")));
  const auto text = value.get<std::string>();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) {
      to = static_cast<T>(i);
      return {};
    }
  }
  return unknown_name(field, text, names);
}

template <class T>
Result<void> read(std::string_view field, const json& value, std::optional<T>& to) {
  if (value.is_null()) {
    to.reset();
    return {};
  }
  T inner{};
  LATHE_CHECK(read(field, value, inner));
  to = inner;
  return {};
}

template <class T>
ordered_json write(const T& value) {
  if constexpr (std::is_same_v<T, DType>) {
    return name_of(value);
  } else if constexpr (std::is_enum_v<T>) {
    return EnumNames<T>::names[static_cast<std::size_t>(value)];
  } else if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else {
    return value ? write(*value) : ordered_json(nullptr);
  }
}

template <class Spec>
Result<KernelSpec> read_spec(const json& object) {
  Spec spec;
  std::vector<std::string_view> names;
  for_each_field<Spec>([&](const auto& field) { names.push_back(field.name); });
  for (const auto& [name, value] : object.items()) {
    if (name == "op") continue;
    Result<void> done;
    bool is_known = false;
    for_each_field<Spec>([&, &key = name, &given = value](const auto& field) {
      if (field.name != key) return;
      is_known = true;
      done = read(field.name, given, spec.*field.member);
    });
    if (!is_known) {
      return bad(
          fmt::format("{} has no field \"{}\"{}", SpecFields<Spec>::op, name, did_you_mean(name, names)),
          fmt::format("its fields are {}", fmt::join(names, ", ")));
    }
    LATHE_CHECK(std::move(done));
  }
  Result<void> complete;
  for_each_field<Spec>([&](const auto& field) {
    if (field.required && !object.contains(field.name)) {
      complete = bad(fmt::format("{} needs the field {}: {}", SpecFields<Spec>::op, field.name, field.doc));
    }
  });
  LATHE_CHECK(std::move(complete));
  return KernelSpec(spec);
}

/// Parses strictly: a member that stands twice is an error, since one of the two would be ignored.
Result<json> parse_object(std::string_view text) {
  std::vector<std::set<std::string>> seen;
  std::string repeated;
  const auto watch = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) seen.emplace_back();
    if (event == json::parse_event_t::object_end) seen.pop_back();
    if (event == json::parse_event_t::key && !seen.back().insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  try {
    json object = json::parse(text, watch);
    if (!object.is_object())
      return bad(fmt::format("a spec is a JSON object, this is {}", object.type_name()));
    if (!repeated.empty()) return bad(fmt::format("the field \"{}\" stands twice", repeated));
    return object;
  } catch (const json::parse_error& failure) {
    return bad(fmt::format("not JSON: {}", failure.what()));
  }
}

template <class T>
std::string type_name_of() {
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  if constexpr (std::is_same_v<T, std::int64_t>) return "integer";
  if constexpr (std::is_same_v<T, double>) return "number";
  if constexpr (std::is_same_v<T, DType> || std::is_same_v<T, std::optional<DType>>) return "dtype";
  return "enum";
}

template <class Spec, class T>
std::string allowed_of(const Field<Spec, T>& field) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true, false";
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return fmt::format("{} to {}", field.min, field.max);
  } else if constexpr (std::is_same_v<T, double>) {
    return fmt::format("{} to {}", field.min, field.max);
  } else if constexpr (std::is_same_v<T, DType> || std::is_same_v<T, std::optional<DType>>) {
    return "f32, f16, bf16";
  } else {
    return fmt::format("{}", fmt::join(EnumNames<T>::names, ", "));
  }
}

}  // namespace

Result<KernelSpec> spec_from_json(std::string_view text) {
  LATHE_TRY(const json object, parse_object(text));
  std::vector<std::string_view> ops;
  for (const Op& op : all_ops()) ops.push_back(op.name);
  if (!object.contains("op")) {
    return bad("the field \"op\" is missing", fmt::format("it is one of {}", fmt::join(ops, ", ")));
  }
  if (!object["op"].is_string()) return wrong_type("op", object["op"], "the name of an op");
  const auto name = object["op"].get<std::string>();
  if (name == SpecFields<RmsNormSpec>::op) return read_spec<RmsNormSpec>(object);
  return unknown_name("op", name, ops);
}

std::string spec_to_json(const KernelSpec& spec) {
  return std::visit(
      [](const auto& s) {
        using Spec = std::decay_t<decltype(s)>;
        ordered_json object{{"op", SpecFields<Spec>::op}};
        for_each_field<Spec>(
            [&](const auto& field) { object[std::string(field.name)] = write(s.*field.member); });
        return object.dump();
      },
      spec);
}

std::vector<FieldInfo> fields_of(const Op& op) {
  std::vector<FieldInfo> infos;
  if (op.name == SpecFields<RmsNormSpec>::op) {
    for_each_field<RmsNormSpec>([&]<class T>(const Field<RmsNormSpec, T>& field) {
      infos.push_back(
          {.name = std::string(field.name),
           .type = type_name_of<T>(),
           .default_value = field.required ? "required" : write(RmsNormSpec{}.*field.member).dump(),
           .unit = std::string(field.unit),
           .allowed = allowed_of(field),
           .doc = std::string(field.doc)});
    });
  }
  return infos;
}

}  // namespace lathe::codegen
