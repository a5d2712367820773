#include "runtime/ptx/packed_conversions.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/ptx/float_forms.h"
#include "runtime/ptx/float_values.h"
#include "runtime/ptx/half.h"
#include "runtime/ptx/lanes.h"

namespace lathe::runtime::ptx {

namespace {

// What registers hold besides halves.

struct E4m3 {
  std::uint8_t bits;
};
struct E5m2 {
  std::uint8_t bits;
};
struct Tf32 {
  std::uint32_t bits;
};

struct PackRule {
  Rounding rounding = Rounding::nearest_even;
  bool has_relu = false;
  bool is_finite = false;  ///< .satfinite
  bool operator==(const PackRule&) const = default;
};

constexpr auto all_pack_rules() {
  std::array<PackRule, 12> rules{};
  std::size_t i = 0;
  for (const Rounding rounding : {Rounding::nearest_even, Rounding::toward_zero, Rounding::nearest_away}) {
    for (const bool has_relu : {false, true}) {
      for (const bool is_finite : {false, true}) rules[i++] = {rounding, has_relu, is_finite};
    }
  }
  return rules;
}
constexpr auto kPackRules = all_pack_rules();

// One value: from float, and to float.

template <class To>
To narrowed_from(float value, const PackRule& rule) {
  const float kept = rule.has_relu ? clamped(value, Clamp::nonnegative) : value;
  const Overflow overflow = rule.is_finite ? Overflow::saturate : Overflow::infinity;
  const bool is_plain = rule.rounding == Rounding::nearest_even && !rule.is_finite;
  if constexpr (std::is_same_v<To, E4m3>) {
    return {float_to_e4m3(kept)};
  } else if constexpr (std::is_same_v<To, E5m2>) {
    return {float_to_e5m2(kept)};
  } else if constexpr (std::is_same_v<To, Tf32>) {
    return {float_to_tf32(kept, rule.rounding, overflow)};
  } else if constexpr (std::is_same_v<To, F16>) {
    return {is_plain ? float_to_f16(kept) : float_to_f16(kept, rule.rounding, overflow)};
  } else {
    return {is_plain ? float_to_bf16(kept) : float_to_bf16(kept, rule.rounding, overflow)};
  }
}

float float_of(F16 value) {
  return f16_to_float(value.bits);
}
float float_of(Bf16 value) {
  return bf16_to_float(value.bits);
}
float float_of(E4m3 value) {
  return e4m3_to_float(value.bits);
}
float float_of(E5m2 value) {
  return e5m2_to_float(value.bits);
}

// Forms.

template <PackRule kRule, class To>
Pair<To> of_two_floats(float upper, float lower) {
  return {.low = narrowed_from<To>(lower, kRule), .high = narrowed_from<To>(upper, kRule)};
}

template <PackRule kRule, class To, class From>
Pair<To> of_pair(Pair<From> pair) {
  return {.low = narrowed_from<To>(float_of(pair.low), kRule),
          .high = narrowed_from<To>(float_of(pair.high), kRule)};
}

template <PackRule kRule>
Tf32 of_float(float value) {
  return narrowed_from<Tf32>(value, kRule);
}

/// Two values of f32 to two halves: to nearest or toward zero.
template <class To>
Execute halves_of_floats(const PackRule& rule) {
  return for_rule<kPackRules>(rule, []<PackRule kRule>() -> Execute {
    if constexpr (kRule.rounding != Rounding::nearest_away) {
      return elementwise<&of_two_floats<kRule, To>>;
    } else {
      return nullptr;
    }
  });
}

/// To or from 8 bits: always to nearest; finite exactly if it is to 8 bits.
template <bool kIsFinite, class To, class From>
Execute of_pairs(const PackRule& rule) {
  constexpr PackRule kPlain{.is_finite = kIsFinite};
  constexpr PackRule kRelu{.has_relu = true, .is_finite = kIsFinite};
  if constexpr (std::is_same_v<From, float>) {
    if (rule == kPlain) return elementwise<&of_two_floats<kPlain, To>>;
    if (rule == kRelu) return elementwise<&of_two_floats<kRelu, To>>;
  } else {
    if (rule == kPlain) return elementwise<&of_pair<kPlain, To, From>>;
    if (rule == kRelu) return elementwise<&of_pair<kRelu, To, From>>;
  }
  return nullptr;
}

Execute tf32_of_float(const PackRule& rule) {
  return for_rule<kPackRules>(rule, []<PackRule kRule>() -> Execute {
    if (kRule.rounding == Rounding::nearest_away && kRule.has_relu) return nullptr;
    return elementwise<&of_float<kRule>>;
  });
}

struct PackedForm {
  Type to;
  Type from;
  Execute (*execute)(const PackRule&);
};

constexpr std::array kPackedForms{
    PackedForm{Type::f16x2, Type::f32, halves_of_floats<F16>},
    PackedForm{Type::bf16x2, Type::f32, halves_of_floats<Bf16>},
    PackedForm{Type::tf32, Type::f32, tf32_of_float},
    PackedForm{Type::e4m3x2, Type::f32, of_pairs<true, E4m3, float>},
    PackedForm{Type::e5m2x2, Type::f32, of_pairs<true, E5m2, float>},
    PackedForm{Type::e4m3x2, Type::f16x2, of_pairs<true, E4m3, F16>},
    PackedForm{Type::e5m2x2, Type::f16x2, of_pairs<true, E5m2, F16>},
    PackedForm{Type::e4m3x2, Type::bf16x2, of_pairs<true, E4m3, Bf16>},
    PackedForm{Type::e5m2x2, Type::bf16x2, of_pairs<true, E5m2, Bf16>},
    PackedForm{Type::f16x2, Type::e4m3x2, of_pairs<false, F16, E4m3>},
    PackedForm{Type::f16x2, Type::e5m2x2, of_pairs<false, F16, E5m2>},
};

std::optional<Rounding> take_pack_rounding(Decoding& d) {
  if (d.take("rn")) return Rounding::nearest_even;
  if (d.take("rz")) return Rounding::toward_zero;
  if (d.take("rna")) return Rounding::nearest_away;
  return std::nullopt;
}

// cvt.pack

/// Two integers saturated to kBits, the second lower; above them the lower bits of c.
template <unsigned kBits, bool kIsSigned>
std::uint32_t saturating_pack(std::int32_t a, std::int32_t b, std::uint32_t c) {
  constexpr std::int32_t kMin = kIsSigned ? -(1 << (kBits - 1)) : 0;
  constexpr std::int32_t kMax = (1 << (kIsSigned ? kBits - 1 : kBits)) - 1;
  constexpr std::uint32_t kMask = (std::uint32_t{1} << kBits) - 1;
  const auto bits_of_value = [&](std::int32_t value) {
    return static_cast<std::uint32_t>(std::clamp(value, kMin, kMax)) & kMask;
  };
  const std::uint32_t pair = bits_of_value(a) << kBits | bits_of_value(b);
  if constexpr (kBits == 16) return pair;
  return c << (2 * kBits % 32) | pair;
}

struct SaturatingPack {
  std::string_view type;
  bool takes_upper_bits;
  Execute execute;
};

constexpr std::array kSaturatingPacks{
    SaturatingPack{"u16", false, elementwise<&saturating_pack<16, false>>},
    SaturatingPack{"s16", false, elementwise<&saturating_pack<16, true>>},
    SaturatingPack{"u8", true, elementwise<&saturating_pack<8, false>>},
    SaturatingPack{"s8", true, elementwise<&saturating_pack<8, true>>},
    SaturatingPack{"u4", true, elementwise<&saturating_pack<4, false>>},
    SaturatingPack{"s4", true, elementwise<&saturating_pack<4, true>>},
    SaturatingPack{"u2", true, elementwise<&saturating_pack<2, false>>},
    SaturatingPack{"s2", true, elementwise<&saturating_pack<2, true>>},
};

}  // namespace

bool is_packed_conversion(Type to, Type from) {
  return std::any_of(kPackedForms.begin(), kPackedForms.end(),
                     [&](const PackedForm& form) { return form.to == to && form.from == from; });
}

Execute decode_packed_conversion(Decoding& d, Type to, Type from) {
  PackRule rule;
  if (const auto rounding = take_pack_rounding(d)) {
    rule.rounding = *rounding;
  } else {
    d.fail("a rounding modifier is missing");
  }
  rule.has_relu = d.take("relu");
  rule.is_finite = d.take("satfinite");
  const std::size_t sources = from == Type::f32 && to != Type::tf32 ? 2 : 1;
  if (d.operands() != 1 + sources) d.fail("the number of operands is not this instruction's");
  d.output(0, bits_of(to));
  for (std::size_t i = 0; i < sources; ++i) d.input(1 + i, bits_of(from));
  const auto form = std::find_if(kPackedForms.begin(), kPackedForms.end(), [&](const PackedForm& candidate) {
    return candidate.to == to && candidate.from == from;
  });
  return form == kPackedForms.end() ? nullptr : form->execute(rule);
}

Execute decode_saturating_pack(Decoding& d) {
  if (!d.take("sat") || !d.take("s32")) return nullptr;
  const auto pack = std::find_if(kSaturatingPacks.begin(), kSaturatingPacks.end(),
                                 [&](const SaturatingPack& candidate) { return d.take(candidate.type); });
  if (pack == kSaturatingPacks.end() || pack->takes_upper_bits != d.take("b32")) return nullptr;
  const std::size_t sources = pack->takes_upper_bits ? 3 : 2;
  if (d.operands() != 1 + sources) d.fail("the number of operands is not this instruction's");
  d.output(0, 32);
  for (std::size_t i = 0; i < sources; ++i) d.input(1 + i, 32);
  if (!pack->takes_upper_bits) d.constant_input(0, 32);
  return pack->execute;
}

}  // namespace lathe::runtime::ptx
