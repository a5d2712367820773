#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/field_json.h"
#include "codegen/spec_fields.h"
#include "codegen/spec_json.h"

namespace lathe::codegen {

namespace {

template <class T>
std::string type_name_of() {
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  if constexpr (std::is_same_v<T, std::int64_t>) return "integer";
  if constexpr (std::is_same_v<T, double>) return "number";
  if constexpr (std::is_same_v<T, DType>) return "dtype";
  if constexpr (std::is_same_v<T, std::string>) return "text";
  if constexpr (kIsList<T>) return "list of " + type_name_of<typename T::value_type>();
  if constexpr (HasFields<T>) return "object";
  return "enum";
}

template <class T>
std::string allowed_of(const Allowed<T>& allowed) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true, false";
  } else if constexpr (kIsList<T>) {
    const std::string each = allowed_of(allowed.each);
    return fmt::format("at most {}{}{}", allowed.max_count, each.empty() ? "" : " of ", each);
  } else if constexpr (HasFields<T>) {
    return {};
  } else if constexpr (std::is_enum_v<T> && !std::is_same_v<T, DType>) {
    return fmt::format("{}", fmt::join(EnumNames<T>::names, ", "));
  } else {
    return text_of(allowed);
  }
}

/// The fields of a struct, and behind each the fields of what it holds: "src", "src.axes",
/// "segments[].length".
template <HasFields Struct>
void append_infos(const std::string& prefix, std::vector<FieldInfo>& infos) {
  for_each_field<Struct>([&]<class T>(const Field<Struct, T>& field) {
    using Value = typename detail::ValueOf<T>::Type;
    const std::string name = prefix + std::string(field.name);
    infos.push_back({.name = name,
                     .type = type_name_of<Value>(),
                     .default_value = field.required ? "required"
                                      // Its fields follow, each with its own.
                                      : HasFields<Value> ? "{}"
                                                         : field_json::write(Struct{}.*field.member).dump(),
                     .unit = std::string(field.unit),
                     .allowed = allowed_of<Value>(field.allowed),
                     .doc = std::string(field.doc)});
    if constexpr (HasFields<Value>) {
      append_infos<Value>(name + ".", infos);
    } else if constexpr (kIsList<Value>) {
      if constexpr (HasFields<typename Value::value_type>) {
        append_infos<typename Value::value_type>(name + "[].", infos);
      }
    }
  });
}

}  // namespace

std::vector<FieldInfo> fields_of(const Op& op) {
  std::vector<FieldInfo> infos;
  for_each_spec([&]<class Spec>(std::type_identity<Spec>) {
    if (op.name == SpecFields<Spec>::op) append_infos<Spec>("", infos);
  });
  return infos;
}

}  // namespace lathe::codegen
