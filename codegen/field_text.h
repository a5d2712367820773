// Values of fields as stable text and as hashes. Included by what does this for whole specs.
#pragma once

#include <bit>
#include <cstddef>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include "codegen/field_check.h"

namespace lathe::codegen::field_text {

/// In quotes, with everything escaped that would not keep a text in one word of printable characters.
inline void append_quoted(std::string& text, std::string_view value) {
  text += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '"' || c == '\\') {
      fmt::format_to(std::back_inserter(text), "\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  text += '"';
}

template <HasFields Struct>
void append_fields(std::string& text, const Struct& value, char between);

template <class T>
void append_value(std::string& text, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    text += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, DType>) {
    text += name_of(value);
  } else if constexpr (std::is_enum_v<T>) {
    text += enum_name(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    text += text_of(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    append_quoted(text, value);
  } else if constexpr (kIsList<T>) {
    text += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) text += ',';
      append_value(text, value[i]);
    }
    text += ']';
  } else if constexpr (HasFields<T>) {
    static_assert(kListsEveryMember<T>, "a member of a struct is missing from its list");
    text += '{';
    append_fields(text, value, ',');
    text += '}';
  } else {
    if (value) {
      append_value(text, *value);
    } else {
      text += "default";
    }
  }
}

template <HasFields Struct>
void append_fields(std::string& text, const Struct& value, char between) {
  bool is_first = true;
  for_each_field<Struct>([&](const auto& field) {
    if (!is_first) text += between;
    is_first = false;
    text += field.name;
    text += '=';
    append_value(text, value.*field.member);
  });
}

/// Mixes one value in; the constant is that of splitmix64.
inline std::size_t mix(std::size_t hash, std::size_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

template <class T>
std::size_t bits_of(const T& value) {
  if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::size_t>(value == 0 ? 0.0 : value);  // -0.0 == 0.0 must hash alike
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return static_cast<std::size_t>(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::hash<std::string>{}(value);
  } else if constexpr (kIsList<T>) {
    std::size_t hash = value.size();
    for (const auto& each : value) hash = mix(hash, bits_of(each));
    return hash;
  } else if constexpr (HasFields<T>) {
    std::size_t hash = 0;
    for_each_field<T>([&](const auto& field) { hash = mix(hash, bits_of(value.*field.member)); });
    return hash;
  } else {
    return value ? bits_of(*value) + 1 : 0;
  }
}

}  // namespace lathe::codegen::field_text
