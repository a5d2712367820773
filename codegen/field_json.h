// One field's value <-> JSON. Included by what reads and describes specs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <lathe/error.h>

#include "codegen/edit_distance.h"
#include "codegen/field_check.h"
#include "runtime/base/try.h"

namespace lathe::codegen::field_json {

using nlohmann::json;
using nlohmann::ordered_json;

inline Error bad(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = std::move(message),
          .hint = std::move(hint)};
}

/// What came from outside may be of any size; messages are not.
inline std::string shortened(const std::string& text) {
  constexpr std::size_t kMaxLength = 60;
  return text.size() > kMaxLength ? text.substr(0, kMaxLength) + "..." : text;
}

inline std::string describe(const json& value) {
  if (value.is_structured()) return value.is_array() ? "an array" : "an object";
  return shortened(value.dump(-1, ' ', /*ensure_ascii=*/true));
}

inline Error wrong_type(std::string_view field, const json& value, std::string_view expected) {
  return bad(fmt::format("{} is {}, expected {}", field, describe(value), expected));
}

inline Error unknown_name(std::string_view field, const json& given,
                          std::span<const std::string_view> known) {
  return bad(fmt::format("{} is {}, expected one of {}{}", field, describe(given), fmt::join(known, ", "),
                         did_you_mean(given.get_ref<const std::string&>(), known)));
}

// ---- Reading. `path` says where, `allowed` is for messages; ranges are left to normalize.

template <HasFields Struct>
Result<Struct> read_struct(std::string_view path, const json& object);

template <class T>
Result<T> read(std::string_view path, const json& value, const Allowed<T>& allowed) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) return wrong_type(path, value, "true or false");
    return value.get<bool>();
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    if (!value.is_number_integer()) {
      return wrong_type(
          path, value, value.is_number() ? "an integer of 64 bits, without point or exponent" : "an integer");
    }
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      return wrong_type(path, value, fmt::format("an integer of 64 bits, {}", text_of(allowed)));
    }
    return value.get<std::int64_t>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number()) return wrong_type(path, value, "a number");
    return value.get<double>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) return wrong_type(path, value, fmt::format("a text: {}", text_of(allowed)));
    return value.get<std::string>();
  } else if constexpr (std::is_same_v<T, DType>) {
    std::vector<std::string_view> names;
    for (const DType dtype : allowed.dtypes) names.push_back(name_of(dtype));
    if (!value.is_string()) return wrong_type(path, value, fmt::format("one of {}", fmt::join(names, ", ")));
    const auto parsed = parse_dtype(value.get_ref<const std::string&>());
    if (!parsed) return unknown_name(path, value, names);
    return *parsed;
  } else if constexpr (kIsList<T>) {
    if (!value.is_array()) return wrong_type(path, value, "an array");
    T list;
    for (const json& each : value) {
      const std::string at = fmt::format("{}[{}]", path, list.size());
      LATHE_TRY(auto element, read<typename T::value_type>(at, each, allowed.each));
      list.push_back(std::move(element));
    }
    return list;
  } else if constexpr (HasFields<T>) {
    if (!value.is_object()) return wrong_type(path, value, "an object");
    return read_struct<T>(path, value);
  } else {
    const auto& names = EnumNames<T>::names;
    if (!value.is_string()) return wrong_type(path, value, fmt::format("one of {}", fmt::join(names, ", ")));
    const auto found = std::find(names.begin(), names.end(), value.get_ref<const std::string&>());
    if (found == names.end()) return unknown_name(path, value, names);
    return static_cast<T>(found - names.begin());
  }
}

template <class Struct, class T>
Result<void> read_field(std::string_view path, const Field<Struct, T>& field, const json& value,
                        Struct& result) {
  using Value = typename codegen::detail::ValueOf<T>::Type;
  if constexpr (kIsOptional<T>) {
    if (value.is_null()) {
      (result.*field.member).reset();
      return {};
    }
  }
  const std::string at = path.empty() ? std::string(field.name) : fmt::format("{}.{}", path, field.name);
  LATHE_TRY(result.*field.member, read<Value>(at, value, field.allowed));
  return {};
}

/// What an object is called in messages: the op, or the place of a struct in the spec.
template <HasFields Struct>
std::string_view title_of(std::string_view path) {
  if constexpr (requires { SpecFields<Struct>::op; }) return SpecFields<Struct>::op;
  return path;
}

/// Strictly: a member that the list does not have is an error, as is one that it needs and that is missing.
template <HasFields Struct>
Result<Struct> read_struct(std::string_view path, const json& object) {
  Struct result;
  std::vector<std::string_view> names;
  for_each_field<Struct>([&](const auto& field) { names.push_back(field.name); });
  const std::string_view title = title_of<Struct>(path);
  for (const auto& [name, value] : object.items()) {
    if (path.empty() && name == "op") continue;
    Result<void> done;
    bool is_known = false;
    for_each_field<Struct>([&, &key = name, &given = value](const auto& field) {
      if (field.name != key) return;
      is_known = true;
      done = read_field(path, field, given, result);
    });
    if (!is_known) {
      return bad(fmt::format("{} has no field \"{}\"{}", title, shortened(name), did_you_mean(name, names)),
                 fmt::format("its fields are {}", fmt::join(names, ", ")));
    }
    LATHE_CHECK(std::move(done));
  }
  Result<void> complete;
  for_each_field<Struct>([&](const auto& field) {
    if (complete && field.required && !object.contains(field.name)) {
      complete = bad(fmt::format("{} needs the field {}: {}", title, field.name, field.doc));
    }
  });
  LATHE_CHECK(std::move(complete));
  return result;
}

// ---- Writing.

template <class T>
ordered_json write(const T& value) {
  if constexpr (std::is_same_v<T, DType>) {
    return name_of(value);
  } else if constexpr (std::is_enum_v<T>) {
    return enum_name(value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (kIsList<T>) {
    ordered_json list = ordered_json::array();
    for (const auto& each : value) list.push_back(write(each));
    return list;
  } else if constexpr (HasFields<T>) {
    ordered_json object = ordered_json::object();
    for_each_field<T>(
        [&](const auto& field) { object[std::string(field.name)] = write(value.*field.member); });
    return object;
  } else {
    return value ? write(*value) : ordered_json(nullptr);
  }
}

}  // namespace lathe::codegen::field_json
