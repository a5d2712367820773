// Comparisons and tests of values as PTX defines them.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "runtime/ptx/float_values.h"

namespace lathe::runtime::ptx::comparison {

/// eq to ge do not hold of values that have no order, one of them being NaN; equ to geu hold of those.
enum class Relation : std::uint8_t { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };

/// Their modifiers, in that order.
constexpr std::array<std::string_view, 14> kRelationNames{"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                                          "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

/// Integers have the first of them, values without a meaning the first two.
constexpr std::size_t kIntegerRelations = 6;
constexpr std::size_t kBitRelations = 2;

/// T is an integer type, float or double.
template <Relation kRelation, class T>
bool holds(T a, T b) {
  if constexpr (kRelation == Relation::eq) return a == b;
  if constexpr (kRelation == Relation::ne) return a < b || a > b;
  if constexpr (kRelation == Relation::lt) return a < b;
  if constexpr (kRelation == Relation::le) return a <= b;
  if constexpr (kRelation == Relation::gt) return a > b;
  if constexpr (kRelation == Relation::ge) return a >= b;
  if constexpr (kRelation == Relation::equ) return !(a < b || a > b);
  if constexpr (kRelation == Relation::neu) return a != b;
  if constexpr (kRelation == Relation::ltu) return !(a >= b);
  if constexpr (kRelation == Relation::leu) return !(a > b);
  if constexpr (kRelation == Relation::gtu) return !(a <= b);
  if constexpr (kRelation == Relation::geu) return !(a < b);
  if constexpr (kRelation == Relation::num) return !std::isunordered(a, b);
  if constexpr (kRelation == Relation::nan) return std::isunordered(a, b);
}

// What testp asks of a float or double.

template <class T>
bool is_finite(T value) {
  return std::isfinite(value);
}

template <class T>
bool is_infinite(T value) {
  return std::isinf(value);
}

template <class T>
bool is_number(T value) {
  return !std::isnan(value);
}

template <class T>
bool is_not_a_number(T value) {
  return std::isnan(value);
}

/// Zero counts as normal.
template <class T>
bool is_normal(T value) {
  return std::isnormal(value) || value == T{0};
}

template <class T>
bool is_subnormal(T value) {
  return std::fpclassify(value) == FP_SUBNORMAL;
}

/// slct. C is the type of the sign; NaN selects b.
template <class T, class C>
T select_by_sign(T a, T b, C c) {
  return c >= C{0} ? a : b;
}

template <class T>
T select_by_flushed_sign(T a, T b, float c) {
  return select_by_sign(a, b, flushed(c));
}

}  // namespace lathe::runtime::ptx::comparison
