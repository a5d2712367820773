// Field lists: the one place that knows a spec's fields. Canonical text, hash, JSON, `lathe spec` and range
// checks all come from a list, so a field cannot be forgotten in one of them; and a list with fewer entries
// than the struct has members does not compile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <lathe/dtype.h>

namespace lathe::codegen {

/// Specialised per enum: `names`, those of its values in order from 0.
template <class Enum>
struct EnumNames;

/// The name of an enum's value; "?" for a number that is none.
template <class Enum>
constexpr std::string_view enum_name(Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < EnumNames<Enum>::names.size() ? EnumNames<Enum>::names[index] : "?";
}

/// What a field may hold, beyond what its type says. Every value of a bool and of an enum is allowed, and of
/// a struct that has a list of its own what that list allows.
template <class T>
struct Allowed {};

template <>
struct Allowed<std::int64_t> {
  std::int64_t min;
  std::int64_t max;
  bool powers_of_two = false;  ///< and 0, where `min` lets it be
};
template <>
struct Allowed<double> {
  double min;
  double max;
};
template <>
struct Allowed<DType> {
  std::span<const DType> dtypes;
};
/// Text; what it may say beyond its length is for the op to check.
template <>
struct Allowed<std::string> {
  std::size_t max_length;
  std::string_view doc;  ///< "a permutation of L P B N H C"
};
template <class T>
struct Allowed<std::vector<T>> {
  std::size_t max_count;
  Allowed<T> each{};
};

namespace detail {
template <class T>
struct ValueOf {
  using Type = T;
};
template <class T>
struct ValueOf<std::optional<T>> {
  using Type = T;
};
}  // namespace detail

/// One member of a spec. Its default is the one that the struct gives it.
template <class Spec, class T>
struct Field {
  std::string_view name;  ///< as in the struct
  T Spec::* member;
  Allowed<typename detail::ValueOf<T>::Type> allowed;
  std::string_view unit;  ///< "elements", "bytes", or empty
  std::string_view doc;
  bool required = false;
};

/// Specialised per spec, in codegen/ops/<op>_fields.h: `op`, and `fields`, a tuple of Field in declaration
/// order. Also per struct that is a member of a spec, or an element of a list in one: `fields` only.
template <class Spec>
struct SpecFields;

/// A struct with a list of fields.
template <class T>
concept HasFields = requires { SpecFields<T>::fields; };

template <class T>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

/// Calls `visit(field)` for each field of a spec, or of a struct in one.
template <class Spec, class Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, SpecFields<Spec>::fields);
}

namespace detail {

/// Converts to anything, in unevaluated operands only.
struct AnyValue {
  template <class T>
  operator T() const;
};

/// How many members can be brace-initialised: the number of members of an aggregate.
template <class T, class... Values>
consteval std::size_t arity() {
  if constexpr (requires { T{std::declval<Values>()..., std::declval<AnyValue>()}; }) {
    return arity<T, Values..., AnyValue>();
  } else {
    return sizeof...(Values);
  }
}

}  // namespace detail

/// Whether a list has as many entries as its struct has members.
template <class Spec>
inline constexpr bool kListsEveryMember =
    detail::arity<Spec>() == std::tuple_size_v<std::remove_cvref_t<decltype(SpecFields<Spec>::fields)>>;

}  // namespace lathe::codegen
