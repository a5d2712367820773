// add, sub, mul, mad, fma, and the correctly rounded forms of div, rcp and sqrt.
#include "runtime/ptx/float_instructions.h"

#include <optional>

#include "runtime/ptx/approximation_instructions.h"
#include "runtime/ptx/float_arithmetic.h"
#include "runtime/ptx/float_forms.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/rounding_modifiers.h"
#include "runtime/ptx/sign_instructions.h"

namespace lathe::runtime::ptx {

namespace {

/// What an operation's forms are, besides .ftz and the types.
struct OperationFacts {
  std::size_t operands;
  bool saturates = false;     ///< .sat
  bool has_relu = false;      ///< .relu, of half types
  bool only_scalars = false;  ///< f32 and f64
};

struct Add {
  static constexpr OperationFacts kFacts{.operands = 2, .saturates = true};
  template <class T>
  static T apply(T a, T b, Rounding rounding) {
    return add(a, b, rounding);
  }
};

struct Subtract : Add {
  template <class T>
  static T apply(T a, T b, Rounding rounding) {
    return subtract(a, b, rounding);
  }
};

struct Multiply : Add {
  template <class T>
  static T apply(T a, T b, Rounding rounding) {
    return multiply(a, b, rounding);
  }
};

struct FusedMultiplyAdd {
  static constexpr OperationFacts kFacts{.operands = 3, .saturates = true, .has_relu = true};
  template <class T>
  static T apply(T a, T b, T c, Rounding rounding) {
    return multiply_add(a, b, c, rounding);
  }
};

/// mad of floats, the older name.
struct MultiplyAdd : FusedMultiplyAdd {
  static constexpr OperationFacts kFacts{.operands = 3, .saturates = true, .only_scalars = true};
};

struct Divide {
  static constexpr OperationFacts kFacts{.operands = 2, .only_scalars = true};
  template <class T>
  static T apply(T a, T b, Rounding rounding) {
    return divide(a, b, rounding);
  }
};

struct Reciprocal {
  static constexpr OperationFacts kFacts{.operands = 1, .only_scalars = true};
  template <class T>
  static T apply(T a, Rounding rounding) {
    return reciprocal(a, rounding);
  }
};

struct SquareRoot : Reciprocal {
  template <class T>
  static T apply(T a, Rounding rounding) {
    return square_root(a, rounding);
  }
};

/// Whether the ISA has the form.
template <class Operation, class T>
constexpr bool is_form(const FloatRule& rule) {
  if (Operation::kFacts.only_scalars && !kIsSingleOrDouble<T>) return false;
  if (rule.rounding != Rounding::nearest_even && !kIsSingleOrDouble<Element<T>>) return false;
  if (rule.flushes && !kIsFlushable<T>) return false;
  switch (rule.clamp) {
    case Clamp::none:
      return true;
    case Clamp::unit:
      return Operation::kFacts.saturates && kIsFlushable<T> && !std::is_same_v<T, Pair<float>>;
    case Clamp::nonnegative:
      return Operation::kFacts.has_relu && kIsNarrow<Element<T>>;
  }
  return false;
}

template <class Operation, FloatRule kRule, class T, class... Others>
T form(T first, Others... others) {
  const auto subnormals_flushed = [](T value) { return kRule.flushes ? flushed(value) : value; };
  const T result = Operation::apply(subnormals_flushed(first), subnormals_flushed(others)..., kRule.rounding);
  return clamped(subnormals_flushed(result), kRule.clamp);
}

template <class Operation, FloatRule kRule, class T>
constexpr auto form_of() {
  if constexpr (Operation::kFacts.operands == 1) {
    return &form<Operation, kRule, T>;
  } else if constexpr (Operation::kFacts.operands == 2) {
    return &form<Operation, kRule, T, T>;
  } else {
    return &form<Operation, kRule, T, T, T>;
  }
}

template <class Operation, class T>
Execute execute_of(const FloatRule& rule) {
  return for_rule<kFloatRules>(rule, []<FloatRule kRule>() -> Execute {
    if constexpr (is_form<Operation, T>(kRule)) {
      return of_elements<T, Operation::kFacts.operands, form_of<Operation, kRule, Element<T>>()>;
    } else {
      return nullptr;
    }
  });
}

/// What follows the direction.
template <class Operation>
Execute decode_rounded(Decoding& d, Rounding rounding) {
  FloatRule rule{.rounding = rounding};
  rule.flushes = d.take("ftz");
  if (d.take("sat")) {
    rule.clamp = Clamp::unit;
  } else if (d.take("relu")) {
    rule.clamp = Clamp::nonnegative;
  }
  const Type type = d.take_type();
  take_same_operands(d, Operation::kFacts.operands, type);
  return for_float(type, [&]<class T>() { return execute_of<Operation, T>(rule); });
}

template <class Operation>
Execute decode_with_default_direction(Decoding& d) {
  return decode_rounded<Operation>(d, take_rounding(d).value_or(Rounding::nearest_even));
}

template <class Operation>
Execute decode_with_direction(Decoding& d) {
  const auto rounding = take_rounding(d);
  if (rounding) return decode_rounded<Operation>(d, *rounding);
  d.fail("a rounding modifier is missing");
  return nullptr;
}

/// Operations that can be approximate, too.
template <class Operation, Decode kApproximate>
Execute decode_with_approximation(Decoding& d) {
  return d.take("approx") ? kApproximate(d) : decode_with_direction<Operation>(d);
}

}  // namespace

Execute decode_float_add(Decoding& d) {
  return decode_with_default_direction<Add>(d);
}

Execute decode_float_sub(Decoding& d) {
  return decode_with_default_direction<Subtract>(d);
}

Execute decode_float_mul(Decoding& d) {
  return decode_with_default_direction<Multiply>(d);
}

Execute decode_float_mad(Decoding& d) {
  return decode_with_direction<MultiplyAdd>(d);
}

Execute decode_float_fma(Decoding& d) {
  return decode_with_direction<FusedMultiplyAdd>(d);
}

Execute decode_float_div(Decoding& d) {
  if (d.take("full")) return decode_full_range_quotient(d);
  return decode_with_approximation<Divide, decode_approximate_quotient>(d);
}

void add_float_instructions(InstructionTable& table) {
  constexpr auto kSpecial = StepClass::special_function;
  table["rcp"] = {decode_with_approximation<Reciprocal, decode_approximate_reciprocal>, kSpecial};
  table["sqrt"] = {decode_with_approximation<SquareRoot, decode_approximate_square_root>, kSpecial};
  add_approximation_instructions(table);
  add_sign_instructions(table);
}

}  // namespace lathe::runtime::ptx
