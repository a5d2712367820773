// What the fields of a spec may hold: as text for people, and checked.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <lathe/error.h>

#include "codegen/field.h"

namespace lathe::codegen {

std::string text_of(const Allowed<std::int64_t>& allowed);  ///< "1 to 262144"; "0, 1, 2, 4, 8, 16"
std::string text_of(const Allowed<double>& allowed);        ///< "-1e+06 to 1e+06"
std::string text_of(const Allowed<DType>& allowed);         ///< "f32, f16, bf16"
std::string text_of(const Allowed<std::string>& allowed);   ///< "a permutation of L P B N H C"

bool is_allowed(const Allowed<std::int64_t>& allowed, std::int64_t value);
bool is_allowed(const Allowed<double>& allowed, double value);  ///< never for NaN
bool is_allowed(const Allowed<DType>& allowed, DType value);

/// invalid_spec: "OP: FIELD is VALUE, allowed are ALLOWED".
Error not_allowed(std::string_view op, std::string_view field, std::string_view value,
                  std::string_view allowed);

/// As in canonical text and messages: "4096", "0.5", "bf16".
std::string text_of(std::int64_t value);
std::string text_of(double value);
std::string text_of(DType value);

namespace detail {

/// Where a value stands, for messages: "src.axes", "segments[2].length".
struct FieldPath {
  std::string_view op;
  std::string path;

  FieldPath inside(std::string_view name) const {
    return {op, path.empty() ? std::string(name) : path + '.' + std::string(name)};
  }
  FieldPath at(std::size_t index) const { return {op, path + '[' + std::to_string(index) + ']'}; }
};

template <HasFields Struct>
std::optional<Error> check_struct(const FieldPath& at, const Struct& value);

/// A value against what its list allows; nothing if it is in order.
template <class T>
std::optional<Error> check_value(const FieldPath& at, const Allowed<T>& allowed, const T& value) {
  if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, double> || std::is_same_v<T, DType>) {
    if (is_allowed(allowed, value)) return std::nullopt;
    return not_allowed(at.op, at.path, text_of(value), text_of(allowed));
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (value.size() <= allowed.max_length) return std::nullopt;
    return not_allowed(at.op, at.path, "a text of " + text_of(static_cast<std::int64_t>(value.size())),
                       "at most " + text_of(static_cast<std::int64_t>(allowed.max_length)) + " characters");
  } else if constexpr (kIsList<T>) {
    if (value.size() > allowed.max_count) {
      return not_allowed(at.op, at.path, "a list of " + text_of(static_cast<std::int64_t>(value.size())),
                         "at most " + text_of(static_cast<std::int64_t>(allowed.max_count)));
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto error = check_value<typename T::value_type>(at.at(i), allowed.each, value[i])) return error;
    }
    return std::nullopt;
  } else if constexpr (std::is_enum_v<T>) {
    if (static_cast<std::size_t>(value) < EnumNames<T>::names.size()) return std::nullopt;
    std::string names;
    for (const std::string_view name : EnumNames<T>::names) {
      if (!names.empty()) names += ", ";
      names += name;
    }
    return not_allowed(at.op, at.path, "number " + text_of(static_cast<std::int64_t>(value)), names);
  } else if constexpr (HasFields<T>) {
    return check_struct(at, value);
  } else {
    static_assert(std::is_same_v<T, bool>, "say what values a field of this type may hold");
    return std::nullopt;
  }
}

/// The first field that is out of range.
template <HasFields Struct>
std::optional<Error> check_struct(const FieldPath& at, const Struct& value) {
  std::optional<Error> first;
  for_each_field<Struct>([&]<class T>(const Field<Struct, T>& field) {
    if (first) return;
    const T& member = value.*field.member;
    if constexpr (kIsOptional<T>) {
      if (member) first = check_value(at.inside(field.name), field.allowed, *member);
    } else {
      first = check_value(at.inside(field.name), field.allowed, member);
    }
  });
  return first;
}

}  // namespace detail

/// Every field of a spec against its list, those of the structs in it too; the first that is out of range is
/// the error.
template <class Spec>
Result<void> check_fields(const Spec& spec) {
  if (auto error = detail::check_struct(detail::FieldPath{SpecFields<Spec>::op, {}}, spec))
    return *std::move(error);
  return {};
}

}  // namespace lathe::codegen
