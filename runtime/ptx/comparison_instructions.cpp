// setp and set; the selections are registered with them.
#include <cstddef>
#include <cstdint>
#include <optional>

#include "runtime/ptx/compare_lanes.h"
#include "runtime/ptx/comparison.h"
#include "runtime/ptx/elementwise_decoding.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/predicate_logic.h"
#include "runtime/ptx/selection_instructions.h"

namespace lathe::runtime::ptx {

namespace {

using comparison::kRelationNames, comparison::Relation;

struct CompareFacts : Facts {
  LaneComparison comparison;
  std::optional<Logic> logic;
  /// What `set` writes where the first and where the second comparison holds: disjoint bits.
  std::uint32_t first_value = 0;
  std::uint32_t second_value = 0;
};

/// Those that the type has.
std::optional<Relation> take_relation(Decoding& d, Type type) {
  const bool is_bits = type >= Type::b8 && type <= Type::b128;
  const std::size_t count = is_floating(type) ? kRelationNames.size()
                            : is_bits         ? comparison::kBitRelations
                                              : comparison::kIntegerRelations;
  for (std::size_t i = 0; i < count; ++i) {
    if (d.take(kRelationNames[i])) return static_cast<Relation>(i);
  }
  if (is_floating(type) || is_bits || is_signed(type)) return std::nullopt;
  if (d.take("lo")) return Relation::lt;
  if (d.take("ls")) return Relation::le;
  if (d.take("hi")) return Relation::gt;
  return d.take("hs") ? std::optional(Relation::ge) : std::nullopt;
}

bool can_be_flushed(Type type) {
  return type == Type::f32 || type == Type::f16 || type == Type::f16x2;
}

/// What setp and set have in common: the comparison, but not the operands.
CompareFacts* take_facts(Decoding& d, Type type, bool is_flushed) {
  const std::optional<Relation> relation = take_relation(d, type);
  if (!relation) {
    d.fail("the type has no such comparison");
    return nullptr;
  }
  auto& facts = d.add_facts<CompareFacts>();
  facts.logic = take_logic(d);
  facts.comparison = lane_comparison(*relation, type, is_flushed);
  return facts.comparison.first != nullptr ? &facts : nullptr;
}

/// a, b and, if there is logic, c.
void take_compared(Decoding& d, Type type, const CompareFacts& facts) {
  expect_operands(d, facts.logic ? 4 : 3);
  d.input(1, bits_of(type));
  d.input(2, bits_of(type));
  if (facts.logic) d.input(3, 1);
  d.step.tracks_definedness_itself = true;
}

struct Compared {
  KnownMask first;
  KnownMask second;  ///< of a type that is not packed: of the complement
};

Compared compare_operands(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const CompareFacts&>(*step.facts);
  const Slot a = step.input(0);
  const Slot b = step.input(1);
  const LaneMask defined = warp.defined(a) & warp.defined(b);
  Compared result;
  result.first = {facts.comparison.first(warp, a, b), defined};
  result.second = facts.comparison.second != nullptr ? KnownMask{facts.comparison.second(warp, a, b), defined}
                                                     : ~result.first;
  if (!facts.logic) return result;
  const KnownMask other = read_mask(warp, step.input(2));
  return {combine(*facts.logic, result.first, other), combine(*facts.logic, result.second, other)};
}

void execute_setp(Warp& warp, const Step& step) {
  const Compared compared = compare_operands(warp, step);
  write_mask(warp, step.output(0), compared.first);
  if (step.outputs == 2) write_mask(warp, step.output(1), compared.second);
}

Execute decode_setp(Decoding& d) {
  const Type type = d.take_type();
  const CompareFacts* facts = take_facts(d, type, can_be_flushed(type) && d.take("ftz"));
  if (facts == nullptr) return nullptr;
  const auto outputs = Decoding::elements_of(d.operand(0));
  const bool is_packed = facts->comparison.second != nullptr;
  const bool is_narrow = type == Type::f16 || type == Type::bf16;
  const std::size_t fewest = is_packed ? 2 : 1;
  const std::size_t most = is_narrow ? 1 : 2;
  if (outputs.size() < fewest || outputs.size() > most) d.fail("the type has another number of destinations");
  for (const Operand* output : outputs) d.output(*output, 1);
  take_compared(d, type, *facts);
  return execute_setp;
}

template <class T>
void execute_set(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const CompareFacts&>(*step.facts);
  const Compared compared = compare_operands(warp, step);
  T* out = warp.lanes<T>(step.output(0));
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((warp.active() >> lane & 1) == 0) continue;
    const std::uint32_t first = (compared.first.value >> lane & 1) != 0 ? facts.first_value : 0;
    const std::uint32_t second = (compared.second.value >> lane & 1) != 0 ? facts.second_value : 0;
    out[lane] = static_cast<T>(first | second);
  }
  const bool is_packed = facts.comparison.second != nullptr;
  warp.set_defined(step.output(0),
                   compared.first.defined & (is_packed ? compared.second.defined : kAllLanes));
}

/// What `true` is as a value of the type that `set` writes for operands of another; nullopt: it does not.
std::optional<std::uint32_t> truth(Type result, Type compared) {
  const bool is_packed = compared == Type::f16x2 || compared == Type::bf16x2;
  const bool is_half = compared == Type::f16 || compared == Type::bf16;
  switch (result) {
    case Type::u32:
    case Type::s32:
      return is_packed ? 0xffff : 0xffffffff;
    case Type::u16:
    case Type::s16:
      return is_half ? std::optional(0xffffU) : std::nullopt;
    case Type::f32:
      return is_packed || is_half ? std::nullopt : std::optional(0x3f800000U);
    case Type::f16:
      return is_packed || compared == Type::bf16 ? std::nullopt : std::optional(0x3c00U);
    case Type::bf16:
      return is_packed ? std::nullopt : std::optional(0x3f80U);
    case Type::f16x2:
      return compared == result ? std::optional(0x3c00U) : std::nullopt;
    case Type::bf16x2:
      return compared == result ? std::optional(0x3f80U) : std::nullopt;
    default:
      return std::nullopt;
  }
}

Execute decode_set(Decoding& d) {
  const Type result = d.take_type();
  const Type type = d.take_type();
  const bool is_flushed = result != Type::bf16 && can_be_flushed(type) && d.take("ftz");
  CompareFacts* facts = take_facts(d, type, is_flushed);
  const auto value = truth(result, type);
  if (facts == nullptr || !value) return nullptr;
  facts->first_value = *value;
  facts->second_value = facts->comparison.second != nullptr ? *value << 16 : 0;
  d.output(0, bits_of(result));
  take_compared(d, type, *facts);
  return bits_of(result) == 16 ? execute_set<std::uint16_t> : execute_set<std::uint32_t>;
}

}  // namespace

void add_comparison_instructions(InstructionTable& table) {
  table["setp"] = {decode_setp};
  table["set"] = {decode_set};
  table["selp"] = {decode_selp};
  table["slct"] = {decode_slct};
  table["testp"] = {decode_testp};
}

}  // namespace lathe::runtime::ptx
