// The forms of a floating-point instruction: one function for each type and set of modifiers that the ISA
// allows, made from one operation.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/float_arithmetic.h"
#include "runtime/ptx/float_values.h"
#include "runtime/ptx/lanes.h"
#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

/// The modifiers of arithmetic.
struct FloatRule {
  Rounding rounding = Rounding::nearest_even;
  bool flushes = false;  ///< .ftz
  Clamp clamp = Clamp::none;
  bool operator==(const FloatRule&) const = default;
};

constexpr auto all_float_rules() {
  std::array<FloatRule, 24> rules{};
  std::size_t i = 0;
  for (const Rounding rounding :
       {Rounding::nearest_even, Rounding::toward_zero, Rounding::down, Rounding::up}) {
    for (const bool flushes : {false, true}) {
      for (const Clamp clamp : {Clamp::none, Clamp::unit, Clamp::nonnegative}) {
        rules[i++] = {rounding, flushes, clamp};
      }
    }
  }
  return rules;
}
constexpr auto kFloatRules = all_float_rules();

/// make.operator()<kRules[i]>(), where kRules[i] == rule; nullptr if there is none.
template <const auto& kRules, class Rule, class Make>
Execute for_rule(const Rule& rule, Make make) {
  Execute found = nullptr;
  [&]<std::size_t... kI>(std::index_sequence<kI...>) {
    ((kRules[kI] == rule ? void(found = make.template operator()<kRules[kI]>()) : void()), ...);
  }(std::make_index_sequence<kRules.size()>{});
  return found;
}

/// make.operator()<T>(), T being what a floating-point type of arithmetic is in C++; nullptr for other types.
template <class Make>
Execute for_float(Type type, Make make) {
  switch (type) {
    case Type::f32:
      return make.template operator()<float>();
    case Type::f64:
      return make.template operator()<double>();
    case Type::f16:
      return make.template operator()<F16>();
    case Type::bf16:
      return make.template operator()<Bf16>();
    case Type::f16x2:
      return make.template operator()<Pair<F16>>();
    case Type::bf16x2:
      return make.template operator()<Pair<Bf16>>();
    case Type::f32x2:
      return make.template operator()<Pair<float>>();
    default:
      return nullptr;
  }
}

template <class T>
constexpr bool kIsPair = false;
template <class T>
constexpr bool kIsPair<Pair<T>> = true;

template <class T>
struct ElementOf {
  using Type = T;
};
template <class T>
struct ElementOf<Pair<T>> {
  using Type = T;
};
template <class T>
using Element = typename ElementOf<T>::Type;

template <class T>
constexpr bool kIsFlushable = std::is_same_v<Element<T>, float> || std::is_same_v<Element<T>, F16>;
template <class T>
constexpr bool kIsSingleOrDouble = std::is_same_v<T, float> || std::is_same_v<T, double>;

template <class T, std::size_t>
using Same = T;

/// apply: kFunction(A...) of the elements of each T.
template <class T, auto kFunction, class Indices>
struct OfElements;
template <class T, auto kFunction, std::size_t... kI>
struct OfElements<T, kFunction, std::index_sequence<kI...>> {
  static T apply(Same<T, kI>... operands) {
    if constexpr (kIsPair<T>) {
      return {kFunction(operands.low...), kFunction(operands.high...)};
    } else {
      return kFunction(operands...);
    }
  }
};

/// An Execute of kFunction, which takes kOperands Element<T> and returns one.
template <class T, std::size_t kOperands, auto kFunction>
constexpr Execute of_elements =
    elementwise<&OfElements<T, kFunction, std::make_index_sequence<kOperands>>::apply>;

/// The operands of an instruction that has `inputs` of them, all of the destination's type.
inline void take_same_operands(Decoding& d, std::size_t inputs, Type type) {
  if (d.operands() != 1 + inputs) return d.fail("the number of operands is not this instruction's");
  d.output(0, bits_of(type));
  for (std::size_t i = 0; i < inputs; ++i) d.input(1 + i, bits_of(type));
}

}  // namespace lathe::runtime::ptx
