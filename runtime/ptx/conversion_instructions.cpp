// cvt of one value. Registers may be wider than the types: a source is cut off, a result is extended.
#include <optional>

#include "runtime/ptx/conversions.h"
#include "runtime/ptx/decoding.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/packed_conversions.h"
#include "runtime/ptx/rounding_modifiers.h"
#include "runtime/ptx/types.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

struct ConversionFacts : Facts {
  ConversionRule rule;
};

template <class T>
T value_in(std::uint64_t bits) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(bits);
  } else {
    return from_bits<T>(bits);
  }
}

template <class T>
std::uint64_t extended(T value) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<std::uint64_t>(value);  // repeats the sign of a signed type
  } else {
    return to_bits(value);
  }
}

template <class To, class From>
void execute_conversion(Warp& warp, const Step& step) {
  const ConversionRule rule = static_cast<const ConversionFacts&>(*step.facts).rule;
  const Slot in = step.input(0);
  const Slot out = step.output(0);
  const LaneMask active = warp.active();
  if (in.bits == 8 * sizeof(From) && out.bits == 8 * sizeof(To)) {
    const From* values = warp.lanes<From>(in);
    To* results = warp.lanes<To>(out);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if ((active >> lane & 1) != 0) results[lane] = converted<To>(values[lane], rule);
    }
    return;
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((active >> lane & 1) == 0) continue;
    warp.set_value(out, lane, extended(converted<To>(value_in<From>(warp.value(in, lane)), rule)));
  }
}

/// make.operator()<T>(), T being what the type is in C++; nullptr for types that scalar cvt does not have.
template <class Make>
Execute for_scalar(Type type, Make make) {
  switch (type) {
    case Type::u8:
      return make.template operator()<std::uint8_t>();
    case Type::s8:
      return make.template operator()<std::int8_t>();
    case Type::u16:
      return make.template operator()<std::uint16_t>();
    case Type::s16:
      return make.template operator()<std::int16_t>();
    case Type::u32:
      return make.template operator()<std::uint32_t>();
    case Type::s32:
      return make.template operator()<std::int32_t>();
    case Type::u64:
      return make.template operator()<std::uint64_t>();
    case Type::s64:
      return make.template operator()<std::int64_t>();
    case Type::f16:
      return make.template operator()<F16>();
    case Type::bf16:
      return make.template operator()<Bf16>();
    case Type::f32:
      return make.template operator()<float>();
    case Type::f64:
      return make.template operator()<double>();
    default:
      return nullptr;
  }
}

/// Which roundings a pair of types takes.
enum class RoundingNeed : std::uint8_t { none, optional_integral, integral, optional_direction, direction };

RoundingNeed rounding_need(Type to, Type from) {
  if (!is_floating(to)) return is_floating(from) ? RoundingNeed::integral : RoundingNeed::none;
  if (!is_floating(from)) return RoundingNeed::direction;
  if (to == from) return RoundingNeed::optional_integral;
  const bool are_halves = bits_of(to) == 16 && bits_of(from) == 16;
  if (are_halves || (from == Type::bf16 && bits_of(to) > 16)) return RoundingNeed::optional_direction;
  return bits_of(to) < bits_of(from) ? RoundingNeed::direction : RoundingNeed::none;
}

/// The rounding, as the types need it; false: it is missing.
bool take_rounding(Decoding& d, RoundingNeed need, ConversionRule& rule) {
  std::optional<Rounding> rounding;
  if (need == RoundingNeed::integral || need == RoundingNeed::optional_integral) {
    rounding = take_integral_direction(d);
    rule.to_integral = rounding.has_value() && need == RoundingNeed::optional_integral;
  } else if (need != RoundingNeed::none) {
    rounding = take_rounding(d);
  }
  rule.rounding = rounding.value_or(Rounding::nearest_even);
  return rounding || (need != RoundingNeed::integral && need != RoundingNeed::direction);
}

/// Whether every value of one integer type is one of the other.
bool holds_all(Type to, Type from) {
  if (is_signed(to) == is_signed(from)) return bits_of(to) >= bits_of(from);
  return is_signed(to) && bits_of(to) > bits_of(from);
}

bool may_saturate(Type to, Type from) {
  if (to == Type::bf16 || from == Type::bf16) return false;
  return is_floating(to) || is_floating(from) || !holds_all(to, from);
}

/// .relu and .satfinite: of f32 made a half type, to nearest or toward zero.
bool may_narrow_specially(Type to, Type from, const ConversionRule& rule) {
  if ((to != Type::f16 && to != Type::bf16) || from != Type::f32 || rule.flushes || rule.saturates) {
    return false;
  }
  return rule.rounding == Rounding::nearest_even || rule.rounding == Rounding::toward_zero;
}

/// Converting between bf16 and 8 bits is not possible.
bool is_pair_of_types(Type to, Type from) {
  const auto is_byte = [](Type type) { return bits_of(type) == 8; };
  return !(to == Type::bf16 && is_byte(from)) && !(is_byte(to) && from == Type::bf16);
}

/// bf16 wants registers of its own width.
void take_operands(Decoding& d, Type to, Type from) {
  if (d.operands() != 2) return d.fail("the number of operands is not this instruction's");
  if (to == Type::bf16) {
    d.output(0, 16);
  } else {
    d.wide_output(d.operand(0), bits_of(to));
  }
  if (from == Type::bf16) {
    d.input(1, 16);
  } else {
    d.wide_input(d.operand(1), bits_of(from));
  }
}

Execute decode_scalar(Decoding& d, Type to, Type from) {
  ConversionRule& rule = d.add_facts<ConversionFacts>().rule;
  if (!is_pair_of_types(to, from)) return nullptr;
  if (!take_rounding(d, rounding_need(to, from), rule)) {
    d.fail("a rounding modifier is missing");
    return nullptr;
  }
  if (to == Type::f32 || from == Type::f32) rule.flushes = d.take("ftz");
  if (may_saturate(to, from)) rule.saturates = d.take("sat");
  if (may_narrow_specially(to, from, rule)) {
    rule.has_relu = d.take("relu");
    if (d.take("satfinite")) rule.overflow = Overflow::saturate;
  }
  take_operands(d, to, from);
  return for_scalar(to, [&]<class To>() {
    return for_scalar(from, []<class From>() -> Execute { return &execute_conversion<To, From>; });
  });
}

Execute decode_cvt(Decoding& d) {
  if (d.take("pack")) return decode_saturating_pack(d);
  const Type to = d.take_type();
  const Type from = d.take_type();
  if (d.failed()) return nullptr;
  return is_packed_conversion(to, from) ? decode_packed_conversion(d, to, from) : decode_scalar(d, to, from);
}

}  // namespace

void add_conversion_instructions(InstructionTable& table) {
  table["cvt"] = {decode_cvt, StepClass::conversion};
}

}  // namespace lathe::runtime::ptx
