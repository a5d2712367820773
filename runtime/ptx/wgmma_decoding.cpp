#include "runtime/ptx/wgmma_decoding.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "runtime/ptx/matrix_decoding.h"
#include "runtime/ptx/matrix_registers.h"
#include "runtime/ptx/wgmma_facts.h"

namespace lathe::runtime::ptx {

namespace {

enum class Family : std::uint8_t { f16, bf16, tf32, f8, i8 };

template <class Elements>
void values_of(const DepthSlice& slice, double* values) {
  using Register = typename Elements::Register;
  for (std::size_t at = 0; at < slice.size(); at += sizeof(Register)) {
    Register bits;
    std::memcpy(&bits, slice.data() + at, sizeof bits);
    for (unsigned e = 0; e < Elements::kCount; ++e) *values++ = Elements::value(bits, e);
  }
}

struct OperandType {
  Type type;
  Family family;
  unsigned bits;
  WgmmaFacts::Values values;
  decltype(WgmmaFacts::load_a) load_a;
};

template <unsigned kBits, double (*kValue)(std::uint32_t)>
constexpr OperandType operand_type(Type type, Family family) {
  using Elements = PackedElements<kBits, kValue>;
  return {type, family, kBits, values_of<Elements>, load_a<Elements>};
}

constexpr OperandType kOperandTypes[] = {
    operand_type<16, f16_value>(Type::f16, Family::f16),
    operand_type<16, bf16_value>(Type::bf16, Family::bf16),
    operand_type<32, tf32_value>(Type::tf32, Family::tf32),
    operand_type<8, e4m3_value>(Type::e4m3, Family::f8),
    operand_type<8, e5m2_value>(Type::e5m2, Family::f8),
    operand_type<8, s8_value>(Type::s8, Family::i8),
    operand_type<8, u8_value>(Type::u8, Family::i8),
};

const OperandType* find_operand_type(Type type) {
  const auto* found = std::ranges::find(kOperandTypes, type, &OperandType::type);
  return found == std::end(kOperandTypes) ? nullptr : found;
}

struct Shape {
  unsigned columns = 0;
  unsigned depth = 0;
};

/// "m64n128k16"
std::optional<Shape> shape_named(std::string_view name) {
  constexpr std::string_view kRows = "m64n";
  if (!name.starts_with(kRows)) return std::nullopt;
  Shape shape;
  const char* end = name.data() + name.size();
  const auto columns = std::from_chars(name.data() + kRows.size(), end, shape.columns);
  if (columns.ec != std::errc{} || columns.ptr == end || *columns.ptr != 'k') return std::nullopt;
  const auto depth = std::from_chars(columns.ptr + 1, end, shape.depth);
  if (depth.ec != std::errc{} || depth.ptr != end) return std::nullopt;
  return shape;
}

bool is_there(const Shape& shape, const OperandType& a) {
  const unsigned step = a.family == Family::i8 && shape.columns > 32 ? 16 : 8;
  return shape.columns != 0 && shape.columns <= 256 && shape.columns % step == 0 &&
         shape.depth == 8 * kSliceBytes / a.bits;
}

template <class Elements>
void set_accumulator(WgmmaFacts& facts) {
  facts.accumulators_per_register = Elements::kCount;
  facts.load_c = load_c<Elements>;
  facts.store_d = store_d<Elements>;
}

/// False: this family has no such accumulator.
bool take_accumulator(WgmmaFacts& facts, Family family, Type type, bool saturates) {
  if (family == Family::i8) {
    saturates ? set_accumulator<SaturatedElements>(facts) : set_accumulator<S32Elements>(facts);
    return type == Type::s32;
  }
  if (type == Type::f32) set_accumulator<F32Elements>(facts);
  if (type == Type::f16) set_accumulator<F16Elements>(facts);
  const bool has_halves = family == Family::f16 || family == Family::f8;
  return !saturates && (type == Type::f32 || (type == Type::f16 && has_halves));
}

/// The modifiers behind .aligned. False if it failed.
bool take_types(Decoding& decoding, WgmmaFacts& facts, Family& family) {
  const auto shape_at = std::ranges::find_if(
      decoding.rest(), [](std::string_view modifier) { return modifier.starts_with("m64n"); });
  const std::string_view name = shape_at == decoding.rest().end() ? "" : *shape_at;
  const auto shape = shape_named(name);
  decoding.take(name);
  const bool saturates = decoding.take("satfinite");
  const Type d = decoding.take_type();
  const OperandType* a = find_operand_type(decoding.take_type());
  const OperandType* b = find_operand_type(decoding.take_type());
  const bool is_known = shape && a != nullptr && b != nullptr && a->family == b->family &&
                        is_there(*shape, *a) && take_accumulator(facts, a->family, d, saturates);
  if (!is_known) {
    decoding.fail("there is no wgmma of this shape and these types, or it is not run");
    return false;
  }
  family = a->family;
  facts.columns = shape->columns;
  facts.depth = shape->depth;
  facts.values_of_a = a->values;
  facts.values_of_b = b->values;
  facts.load_a = a->load_a;
  return true;
}

bool is_immediate_of(Decoding& decoding, std::size_t i, std::int64_t one, std::int64_t other) {
  const std::int64_t value = decoding.immediate(i);
  if (value == one || value == other) return true;
  decoding.fail(fmt::format("operand {} must be {} or {}", i + 1, one, other));
  return false;
}

/// What follows the predicate: signs of A and B, and whether those in shared memory are transposed.
void take_immediates(Decoding& decoding, WgmmaFacts& facts, Family family) {
  constexpr std::size_t kFirst = 4;
  const bool has_signs = family != Family::i8;
  const bool has_layouts = family == Family::f16 || family == Family::bf16;
  const std::size_t layouts = !has_layouts ? 0 : facts.registers_of_a == 0 ? 2 : 1;
  const std::size_t expected = kFirst + (has_signs ? 2 : 0) + layouts;
  if (decoding.operands() != expected) return decoding.fail(fmt::format("{} operands are needed", expected));
  if (has_signs && is_immediate_of(decoding, kFirst, -1, 1) && is_immediate_of(decoding, kFirst + 1, -1, 1))
    facts.is_negated = decoding.immediate(kFirst) != decoding.immediate(kFirst + 1);
  for (std::size_t i = 0; i < layouts; ++i) {
    if (!is_immediate_of(decoding, kFirst + 2 + i, 0, 1)) return;
    const bool is_transposed = decoding.immediate(kFirst + 2 + i) == 1;
    (i + 1 == layouts ? facts.is_b_transposed : facts.is_a_transposed) = is_transposed;
  }
}

void take_accumulators(Decoding& decoding, const WgmmaFacts& facts) {
  const std::size_t count = facts.columns / 2 / facts.accumulators_per_register;
  for (const Operand* each : vector_operand(decoding, 0, count)) {
    if (each->kind != Operand::Kind::reg) decoding.fail("accumulators must be registers");
    decoding.output(*each, 32);
  }
}

}  // namespace

void require_wgmma_target(Decoding& decoding) {
  if (decoding.module().target != "sm_90a") decoding.fail("wgmma needs .target sm_90a");
}

bool decode_wgmma_product(Decoding& decoding) {
  if (decoding.take("sp")) {
    decoding.fail("wgmma of sparse matrices is not run");
    return false;
  }
  take_aligned(decoding);
  auto& facts = decoding.add_facts<WgmmaFacts>();
  Family family{};
  if (!take_types(decoding, facts, family)) return false;
  constexpr unsigned kRegistersOfA = 4;  // 16 rows of 32 bytes
  if (decoding.operand(1).kind == Operand::Kind::vector) facts.registers_of_a = kRegistersOfA;
  take_accumulators(decoding, facts);
  if (facts.registers_of_a == 0) {
    decoding.input(1, 64);
  } else {
    for (const Operand* each : vector_operand(decoding, 1, kRegistersOfA)) decoding.input(*each, 32);
  }
  decoding.input(2, 64);
  decoding.input(3, 1);
  take_immediates(decoding, facts, family);
  decoding.step.tracks_definedness_itself = true;
  return !decoding.failed();
}

}  // namespace lathe::runtime::ptx
