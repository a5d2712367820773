// Floating-point instructions that choose among their operands or change a sign: min, max, neg, abs,
// copysign.
#include "runtime/ptx/sign_instructions.h"

#include "runtime/ptx/float_arithmetic.h"
#include "runtime/ptx/float_forms.h"
#include "runtime/ptx/float_instructions.h"

namespace lathe::runtime::ptx {

namespace {

/// Of two operands: .abs comes with .xorsign. Of three: alone.
constexpr auto all_extremum_rules(bool abs_multiplies_signs) {
  std::array<ExtremumRule, 16> rules{};
  std::size_t i = 0;
  for (const bool is_max : {false, true}) {
    for (const bool flushes : {false, true}) {
      for (const bool propagates_nan : {false, true}) {
        for (const bool of_magnitudes : {false, true}) {
          rules[i++] = {is_max, flushes, propagates_nan, of_magnitudes,
                        of_magnitudes && abs_multiplies_signs};
        }
      }
    }
  }
  return rules;
}
constexpr auto kRulesOfTwo = all_extremum_rules(true);
constexpr auto kRulesOfThree = all_extremum_rules(false);

template <class T>
constexpr bool has_rule(const ExtremumRule& rule) {
  if (std::is_same_v<T, Pair<float>>) return false;
  if (std::is_same_v<T, double>) return !rule.propagates_nan && !rule.of_magnitudes && !rule.flushes;
  return kIsFlushable<T> || !rule.flushes;
}

template <ExtremumRule kRule, class T>
T extremum_of_two(T a, T b) {
  return extremum(a, b, kRule);
}

template <ExtremumRule kRule>
float extremum_of_three(float a, float b, float c) {
  return extremum(extremum(a, b, kRule), c, kRule);
}

template <class T>
Execute execute_extremum(const ExtremumRule& rule) {
  return for_rule<kRulesOfTwo>(rule, []<ExtremumRule kRule>() -> Execute {
    if constexpr (has_rule<T>(kRule)) {
      return of_elements<T, 2, &extremum_of_two<kRule, Element<T>>>;
    } else {
      return nullptr;
    }
  });
}

Execute decode_extremum(Decoding& d, bool is_max) {
  ExtremumRule rule{.is_max = is_max};
  rule.flushes = d.take("ftz");
  rule.propagates_nan = d.take("NaN");
  rule.of_magnitudes = d.take("abs");
  rule.multiplies_signs = d.take("xorsign");
  const Type type = d.take_type();
  const bool has_three = d.operands() == 4;
  take_same_operands(d, has_three ? 3 : 2, type);
  if (!has_three) return for_float(type, [&]<class T>() { return execute_extremum<T>(rule); });
  if (type != Type::f32) return nullptr;
  return for_rule<kRulesOfThree>(
      rule, []<ExtremumRule kRule>() -> Execute { return elementwise<&extremum_of_three<kRule>>; });
}

template <auto kFunction, bool kFlushes, class T>
T sign_changed(T value) {
  return kFunction(kFlushes ? flushed(value) : value);
}

struct Negated {
  template <class T>
  static T apply(T value) {
    return negated(value);
  }
};

struct Absolute {
  template <class T>
  static T apply(T value) {
    return absolute(value);
  }
};

template <class Change>
Execute decode_sign_change(Decoding& d) {
  const bool flushes = d.take("ftz");
  const Type type = d.take_type();
  take_same_operands(d, 1, type);
  return for_float(type, [&]<class T>() -> Execute {
    if constexpr (std::is_same_v<T, Pair<float>>) {
      return nullptr;
    } else {
      constexpr auto kChange = &Change::template apply<Element<T>>;
      if (!flushes) return of_elements<T, 1, &sign_changed<kChange, false, Element<T>>>;
      if (!kIsFlushable<T>) return nullptr;
      return of_elements<T, 1, &sign_changed<kChange, true, Element<T>>>;
    }
  });
}

Execute decode_copysign(Decoding& d) {
  const Type type = d.take_type();
  take_same_operands(d, 2, type);
  if (type == Type::f32) return elementwise<&with_sign_of<float>>;
  return type == Type::f64 ? elementwise<&with_sign_of<double>> : nullptr;
}

}  // namespace

Execute decode_float_min(Decoding& d) {
  return decode_extremum(d, false);
}

Execute decode_float_max(Decoding& d) {
  return decode_extremum(d, true);
}

Execute decode_float_neg(Decoding& d) {
  return decode_sign_change<Negated>(d);
}

Execute decode_float_abs(Decoding& d) {
  return decode_sign_change<Absolute>(d);
}

void add_sign_instructions(InstructionTable& table) {
  table["copysign"] = {decode_copysign};
}

}  // namespace lathe::runtime::ptx
