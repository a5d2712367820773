#include "codegen/canonical.h"

#include <bit>
#include <type_traits>
#include <variant>

#include "codegen/field_check.h"
#include "codegen/spec_fields.h"

namespace lathe::codegen {

namespace {

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
  } else {
    if (value) {
      append_value(text, *value);
    } else {
      text += "default";
    }
  }
}

/// Mixes one value in; the constant is that of splitmix64.
std::size_t mix(std::size_t hash, std::size_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

template <class T>
std::size_t bits_of(const T& value) {
  if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::size_t>(value == 0 ? 0.0 : value);  // -0.0 == 0.0 must hash alike
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return static_cast<std::size_t>(value);
  } else {
    return value ? bits_of(*value) + 1 : 0;
  }
}

}  // namespace

std::string canonical_text(const KernelSpec& spec) {
  return std::visit(
      [](const auto& s) {
        using Spec = std::decay_t<decltype(s)>;
        std::string text(SpecFields<Spec>::op);
        for_each_field<Spec>([&](const auto& field) {
          text += ' ';
          text += field.name;
          text += '=';
          append_value(text, s.*field.member);
        });
        return text;
      },
      spec);
}

std::size_t hash_of(const KernelSpec& spec) {
  return std::visit(
      [&](const auto& s) {
        std::size_t hash = spec.index();
        for_each_field<std::decay_t<decltype(s)>>(
            [&](const auto& field) { hash = mix(hash, bits_of(s.*field.member)); });
        return hash;
      },
      spec);
}

}  // namespace lathe::codegen
