// SpecVariations: for each field of a spec, the same spec with only that field changed.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "codegen/spec_fields.h"

namespace lathe::tests {

/// Another value of the same type; whether it is in range does not matter.
template <class T>
T other_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return !value;
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<T>(value == T{} ? 1 : 0);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return value + 1;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value + "x";
  } else if constexpr (codegen::kIsList<T>) {
    T longer = value;
    longer.emplace_back();
    return longer;
  } else if constexpr (codegen::HasFields<T>) {
    T changed = value;
    const auto& first = std::get<0>(codegen::SpecFields<T>::fields);
    changed.*first.member = other_value(value.*first.member);
    return changed;
  } else {
    using Inner = typename T::value_type;
    return value ? T{} : T(Inner{});
  }
}

/// {field's name, the changed spec}, one per field.
template <class Spec>
std::vector<std::pair<std::string, KernelSpec>> variations_of(const Spec& spec) {
  std::vector<std::pair<std::string, KernelSpec>> variations;
  codegen::for_each_field<Spec>([&](const auto& field) {
    Spec changed = spec;
    changed.*field.member = other_value(spec.*field.member);
    variations.emplace_back(field.name, changed);
  });
  return variations;
}

}  // namespace lathe::tests
