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

/// One value of a field against what the list allows; nothing if it is in order.
template <class Spec, class T, class Value>
std::optional<Error> check_value(const Field<Spec, T>& field, const Value& value) {
  if constexpr (std::is_same_v<Value, std::int64_t> || std::is_same_v<Value, double> ||
                std::is_same_v<Value, DType>) {
    if (is_allowed(field.allowed, value)) return std::nullopt;
    return not_allowed(SpecFields<Spec>::op, field.name, text_of(value), text_of(field.allowed));
  } else if constexpr (std::is_enum_v<Value>) {
    if (static_cast<std::size_t>(value) < EnumNames<Value>::names.size()) return std::nullopt;
    std::string names;
    for (const std::string_view name : EnumNames<Value>::names) {
      if (!names.empty()) names += ", ";
      names += name;
    }
    return not_allowed(SpecFields<Spec>::op, field.name,
                       "number " + text_of(static_cast<std::int64_t>(value)), names);
  } else {
    static_assert(std::is_same_v<Value, bool>, "say what values a field of this type may hold");
    return std::nullopt;
  }
}

}  // namespace detail

/// Every field of a spec against its list; the first that is out of range is the error.
template <class Spec>
Result<void> check_fields(const Spec& spec) {
  std::optional<Error> first;
  for_each_field<Spec>([&]<class T>(const Field<Spec, T>& field) {
    if (first) return;
    const T& value = spec.*field.member;
    if constexpr (requires { value.has_value(); }) {
      if (value) first = detail::check_value(field, *value);
    } else {
      first = detail::check_value(field, value);
    }
  });
  if (first) return *std::move(first);
  return {};
}

}  // namespace lathe::codegen
