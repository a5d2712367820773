// The one field list of each spec. Canonical text, hash, JSON, `lathe spec` and range checks all come from
// it, so a field cannot be forgotten in one of them; and a static_assert counts the struct's members, so it
// cannot be forgotten here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include <lathe/rms_norm.h>
#include <lathe/specs.h>

namespace lathe::codegen {

/// The names of an enum's values, in order from 0.
template <class Enum>
struct EnumNames;

template <>
struct EnumNames<Casting> {
  static constexpr std::array<std::string_view, 3> names{"llama", "gemma", "none"};
};
template <>
struct EnumNames<Residual> {
  static constexpr std::array<std::string_view, 3> names{"none", "round_then_norm", "norm_then_round"};
};

/// A member of a spec. `min` and `max` bound integers; `dtypes` lists what a DType field may be.
template <class Spec, class T>
struct Field {
  std::string_view name;
  T Spec::* member;
  std::string_view unit;
  std::string_view doc;
  std::int64_t min = 0;
  std::int64_t max = 0;
  bool required = false;
};

/// Specialised per spec: `op` and `fields`, a tuple of Field in declaration order.
template <class Spec>
struct SpecFields;

template <>
struct SpecFields<RmsNormSpec> {
  static constexpr std::string_view op = "rms_norm";
  using S = RmsNormSpec;
  static constexpr auto fields = std::make_tuple(
      Field<S, std::int64_t>{"hidden_size", &S::hidden_size, "elements", "elements of a row", 1, 262144,
                             true},
      Field<S, DType>{"dtype", &S::dtype, "", "of x, y and the residuals"},
      Field<S, bool>{"has_weight", &S::has_weight, "", "false: y = x * rstd"},
      Field<S, std::optional<DType>>{"weight_dtype", &S::weight_dtype, "", "of the weight; unset: dtype"},
      Field<S, double>{"weight_offset", &S::weight_offset, "", "added to the weight: 1 for Gemma 1 to 3"},
      Field<S, Casting>{"casting", &S::casting, "", "where the normalised row is rounded to dtype"},
      Field<S, Residual>{"residual", &S::residual, "", "fused residual add, and which sum is normalised"},
      Field<S, bool>{"store_rstd", &S::store_rstd, "", "write 1 / sqrt(mean + epsilon)"},
      Field<S, std::int64_t>{"heads", &S::heads, "rows", "rows per token (QK-norm)", 1, 65536},
      Field<S, std::int64_t>{"alignment", &S::alignment, "bytes",
                             "of every pointer and stride: a power of two; 0: what tightly packed rows give",
                             0, 16});
};

namespace detail {

/// Converts to anything, in unevaluated operands only.
struct AnyValue {
  template <class T>
  operator T() const;  // never defined
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

static_assert(detail::arity<RmsNormSpec>() == std::tuple_size_v<decltype(SpecFields<RmsNormSpec>::fields)>,
              "a member of RmsNormSpec is missing from its field list");

/// Calls `visit(field)` for each field of a spec type.
template <class Spec, class Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, SpecFields<Spec>::fields);
}

}  // namespace lathe::codegen
