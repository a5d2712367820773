#include "codegen/spec_json.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "codegen/edit_distance.h"
#include "codegen/field_check.h"
#include "codegen/spec_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Error bad(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = std::move(message),
          .hint = std::move(hint)};
}

/// What came from outside may be of any size; messages are not.
std::string shortened(const std::string& text) {
  constexpr std::size_t kMaxLength = 60;
  return text.size() > kMaxLength ? text.substr(0, kMaxLength) + "..." : text;
}

std::string describe(const json& value) {
  if (value.is_structured()) return value.is_array() ? "an array" : "an object";
  return shortened(value.dump(-1, ' ', /*ensure_ascii=*/true));
}

Error wrong_type(std::string_view field, const json& value, std::string_view expected) {
  return bad(fmt::format("{} is {}, expected {}", field, describe(value), expected));
}

Error unknown_name(std::string_view field, const json& given, std::span<const std::string_view> known) {
  return bad(fmt::format("{} is {}, expected one of {}{}", field, describe(given), fmt::join(known, ", "),
                         did_you_mean(given.get_ref<const std::string&>(), known)));
}

// One function per type of a field: JSON -> value. `allowed` is for messages; ranges are left to normalize.

template <class T>
Result<T> read(std::string_view field, const json& value, const Allowed<T>& allowed) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) return wrong_type(field, value, "true or false");
    return value.get<bool>();
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    if (!value.is_number_integer()) {
      return wrong_type(
          field, value,
          value.is_number() ? "an integer of 64 bits, without point or exponent" : "an integer");
    }
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      return wrong_type(field, value, fmt::format("an integer of 64 bits, {}", text_of(allowed)));
    }
    return value.get<std::int64_t>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number()) return wrong_type(field, value, "a number");
    return value.get<double>();
  } else if constexpr (std::is_same_v<T, DType>) {
    std::vector<std::string_view> names;
    for (const DType dtype : allowed.dtypes) names.push_back(name_of(dtype));
    if (!value.is_string()) return wrong_type(field, value, fmt::format("one of {}", fmt::join(names, ", ")));
    const auto parsed = parse_dtype(value.get_ref<const std::string&>());
    if (!parsed) return unknown_name(field, value, names);
    return *parsed;
  } else {
    const auto& names = EnumNames<T>::names;
    if (!value.is_string()) return wrong_type(field, value, fmt::format("one of {}", fmt::join(names, ", ")));
    const auto found = std::find(names.begin(), names.end(), value.get_ref<const std::string&>());
    if (found == names.end()) return unknown_name(field, value, names);
    return static_cast<T>(found - names.begin());
  }
}

template <class Spec, class T>
Result<void> read_field(const Field<Spec, T>& field, const json& value, Spec& spec) {
  using Value = typename detail::ValueOf<T>::Type;
  if constexpr (!std::is_same_v<Value, T>) {
    if (value.is_null()) {
      (spec.*field.member).reset();
      return {};
    }
  }
  LATHE_TRY(spec.*field.member, read<Value>(field.name, value, field.allowed));
  return {};
}

template <class T>
ordered_json write(const T& value) {
  if constexpr (std::is_same_v<T, DType>) {
    return name_of(value);
  } else if constexpr (std::is_enum_v<T>) {
    return enum_name(value);
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
      done = read_field(field, given, spec);
    });
    if (!is_known) {
      return bad(fmt::format("{} has no field \"{}\"{}", SpecFields<Spec>::op, shortened(name),
                             did_you_mean(name, names)),
                 fmt::format("its fields are {}", fmt::join(names, ", ")));
    }
    LATHE_CHECK(std::move(done));
  }
  Result<void> complete;
  for_each_field<Spec>([&](const auto& field) {
    if (complete && field.required && !object.contains(field.name)) {
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
    if (!repeated.empty()) return bad(fmt::format("the field \"{}\" stands twice", shortened(repeated)));
    return object;
  } catch (const json::exception& failure) {
    // Of a syntax error, or of a number that no double holds. The library's tag in brackets says nothing.
    const std::string_view what = failure.what();
    return bad(fmt::format("not JSON: {}", what.substr(what.find("] ") + 2)));
  }
}

template <class T>
std::string_view type_name_of() {
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  if constexpr (std::is_same_v<T, std::int64_t>) return "integer";
  if constexpr (std::is_same_v<T, double>) return "number";
  if constexpr (std::is_same_v<T, DType>) return "dtype";
  return "enum";
}

template <class T>
std::string allowed_of(const Allowed<T>& allowed) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true, false";
  } else if constexpr (std::is_enum_v<T> && !std::is_same_v<T, DType>) {
    return fmt::format("{}", fmt::join(EnumNames<T>::names, ", "));
  } else {
    return text_of(allowed);
  }
}

template <class Spec, class T>
FieldInfo info_of(const Field<Spec, T>& field) {
  using Value = typename detail::ValueOf<T>::Type;
  return {.name = std::string(field.name),
          .type = std::string(type_name_of<Value>()),
          .default_value = field.required ? "required" : write(Spec{}.*field.member).dump(),
          .unit = std::string(field.unit),
          .allowed = allowed_of<Value>(field.allowed),
          .doc = std::string(field.doc)};
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
  std::optional<Result<KernelSpec>> spec;
  for_each_spec([&]<class Spec>(std::type_identity<Spec>) {
    if (object["op"] == SpecFields<Spec>::op) spec = read_spec<Spec>(object);
  });
  if (!spec) return unknown_name("op", object["op"], ops);
  return *std::move(spec);
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
  for_each_spec([&]<class Spec>(std::type_identity<Spec>) {
    if (op.name != SpecFields<Spec>::op) return;
    for_each_field<Spec>([&](const auto& field) { infos.push_back(info_of(field)); });
  });
  return infos;
}

}  // namespace lathe::codegen
