#include "runtime/ptx/mma_instructions.h"

#include <algorithm>
#include <array>
#include <span>

#include "runtime/ptx/block.h"
#include "runtime/ptx/matrix_decoding.h"
#include "runtime/ptx/matrix_fragments.h"
#include "runtime/ptx/matrix_product.h"
#include "runtime/ptx/matrix_registers.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warp_members.h"

namespace lathe::runtime::ptx {

namespace {

/// Operands are the registers of A, B and C, outputs those of D, which lie as those of C do.
struct MmaFacts : Facts {
  unsigned rows = 16;
  unsigned depth = 16;
  unsigned a_registers = 0;
  unsigned b_registers = 0;
  unsigned accumulator_registers = 0;
  unsigned accumulators_per_register = 1;
  using Registers = std::span<const Slot>;
  using Move = void (*)(Warp&, Registers, MatrixProduct&);
  using MoveRows = void (*)(Warp&, Registers, unsigned rows, MatrixProduct&);
  MoveRows load_a = nullptr;
  Move load_b = nullptr;
  Move load_c = nullptr;
  Move store_d = nullptr;
  void (*accumulate)(MatrixProduct&, unsigned rows, unsigned depth) = nullptr;

  Registers d(const Step& step) const { return {step.slots, accumulator_registers}; }
  Registers a(const Step& step) const { return {step.slots + step.outputs, a_registers}; }
  Registers b(const Step& step) const { return {a(step).data() + a_registers, b_registers}; }
  Registers c(const Step& step) const { return {b(step).data() + b_registers, accumulator_registers}; }
};

// ---- definedness

/// An element of D is defined if all that it is computed from is: kernels pad tiles with rows that they do
/// not fill and throw away what comes of them.
void propagate_definedness(Warp& warp, const Step& step, const MmaFacts& facts) {
  LaneMask all = kAllLanes;
  for (unsigned i = 0; i < step.inputs; ++i) all &= warp.defined(step.input(i));
  std::array<LaneMask, kMaxProductRows / 4> results;
  results.fill(kAllLanes);
  if (all != kAllLanes) {
    const std::uint32_t rows = defined_rows(warp, facts.a(step), facts.rows);
    const std::uint32_t columns = defined_columns(warp, facts.b(step));
    for (unsigned i = 0; i < facts.accumulator_registers; ++i) {
      results[i] = warp.defined(facts.c(step)[i]);
      for (unsigned lane = 0; lane < kLanes; ++lane) {
        for (unsigned e = 0; e < facts.accumulators_per_register; ++e) {
          const ElementPlace at = place_in_accumulator(i * facts.accumulators_per_register + e, lane);
          if ((rows >> at.row & columns >> at.column & 1) == 0) results[i] &= ~(LaneMask{1} << lane);
        }
      }
    }
  }
  for (unsigned i = 0; i < facts.accumulator_registers; ++i) warp.set_defined(step.output(i), results[i]);
}

void execute_mma(Warp& warp, const Step& step) {
  if (!are_all_aligned(warp)) return;
  const auto& facts = static_cast<const MmaFacts&>(*step.facts);
  MatrixProduct product;
  facts.load_a(warp, facts.a(step), facts.rows, product);
  facts.load_b(warp, facts.b(step), product);
  facts.load_c(warp, facts.c(step), product);
  facts.accumulate(product, facts.rows, facts.depth);
  facts.store_d(warp, facts.d(step), product);
  if (warp.block().checks_definedness()) propagate_definedness(warp, step, facts);
}

// ---- decoding

enum class Family : std::uint8_t { f16, bf16, tf32, f8, i8, f64 };

struct OperandType {
  Type type;
  Family family;
  unsigned bits;
  MmaFacts::MoveRows load_a;
  MmaFacts::Move load_b;
};

template <class Elements>
constexpr OperandType operand_type(Type type, Family family) {
  return {type, family, 8 * sizeof(typename Elements::Register) / Elements::kCount, load_a<Elements>,
          load_b<Elements>};
}

constexpr OperandType kOperandTypes[] = {
    operand_type<PackedElements<16, f16_value>>(Type::f16, Family::f16),
    operand_type<PackedElements<16, bf16_value>>(Type::bf16, Family::bf16),
    operand_type<PackedElements<32, tf32_value>>(Type::tf32, Family::tf32),
    operand_type<PackedElements<8, e4m3_value>>(Type::e4m3, Family::f8),
    operand_type<PackedElements<8, e5m2_value>>(Type::e5m2, Family::f8),
    operand_type<PackedElements<8, s8_value>>(Type::s8, Family::i8),
    operand_type<PackedElements<8, u8_value>>(Type::u8, Family::i8),
    operand_type<F64Elements>(Type::f64, Family::f64),
};

/// What the portable mma of sm_80 to sm_90 has.
struct Shape {
  std::string_view name;
  Family family;
  unsigned rows;
  unsigned depth;
};

constexpr Shape kShapes[] = {
    {"m16n8k8", Family::f16, 16, 8},    {"m16n8k16", Family::f16, 16, 16}, {"m16n8k8", Family::bf16, 16, 8},
    {"m16n8k16", Family::bf16, 16, 16}, {"m16n8k4", Family::tf32, 16, 4},  {"m16n8k8", Family::tf32, 16, 8},
    {"m16n8k16", Family::f8, 16, 16},   {"m16n8k32", Family::f8, 16, 32},  {"m8n8k16", Family::i8, 8, 16},
    {"m16n8k16", Family::i8, 16, 16},   {"m16n8k32", Family::i8, 16, 32},  {"m8n8k4", Family::f64, 8, 4},
    {"m16n8k4", Family::f64, 16, 4},    {"m16n8k8", Family::f64, 16, 8},   {"m16n8k16", Family::f64, 16, 16},
};

const OperandType* find_operand_type(Type type) {
  const auto* found = std::ranges::find(kOperandTypes, type, &OperandType::type);
  return found == std::end(kOperandTypes) ? nullptr : found;
}

const Shape* find_shape(std::string_view name, Family family) {
  const auto* found = std::ranges::find_if(
      kShapes, [&](const Shape& shape) { return shape.name == name && shape.family == family; });
  return found == std::end(kShapes) ? nullptr : found;
}

template <class Elements>
void set_accumulator(MmaFacts& facts) {
  facts.accumulators_per_register = Elements::kCount;
  facts.accumulator_registers = facts.rows * kProductColumns / kLanes / Elements::kCount;
  facts.load_c = load_c<Elements>;
  facts.store_d = store_d<Elements>;
  facts.accumulate = accumulate_product<plain_multiply_add>;
}

/// False: this family has no such accumulator.
bool take_accumulator(MmaFacts& facts, Family family, Type type, bool saturates) {
  const bool has_halves = family == Family::f16 || family == Family::f8;
  if (saturates && family != Family::i8) return false;
  if (type == Type::f16 && has_halves) {
    set_accumulator<F16Elements>(facts);
  } else if (type == Type::f32 && family != Family::i8 && family != Family::f64) {
    set_accumulator<F32Elements>(facts);
  } else if (type == Type::s32 && family == Family::i8) {
    saturates ? set_accumulator<SaturatedElements>(facts) : set_accumulator<S32Elements>(facts);
  } else if (type == Type::f64 && family == Family::f64) {
    set_accumulator<F64Elements>(facts);
    facts.accumulate = accumulate_product<fused_multiply_add>;
  } else {
    return false;
  }
  return true;
}

void take_operands(Decoding& decoding, const MmaFacts& facts, unsigned bits) {
  for (const Operand* each : vector_operand(decoding, 0, facts.accumulator_registers))
    decoding.output(*each, bits);
  const unsigned counts[] = {facts.a_registers, facts.b_registers, facts.accumulator_registers};
  for (std::size_t i = 0; i < std::size(counts); ++i) {
    for (const Operand* each : vector_operand(decoding, i + 1, counts[i])) decoding.input(*each, bits);
  }
}

/// The modifiers in front of the types. Empty: some other form.
std::string_view take_shape(Decoding& decoding) {
  take_aligned(decoding);
  const auto& rest = decoding.rest();
  if (rest.size() < 3 || !rest[0].starts_with("m") || rest[1] != "row" || rest[2] != "col") {
    decoding.fail("a shape and .row.col are expected: sparse, scaled and other forms of mma are not run");
    return {};
  }
  const std::string_view shape = rest[0];
  for (const std::string_view taken : {shape, rest[1], rest[2]}) decoding.take(taken);
  return shape;
}

}  // namespace

Execute decode_mma(Decoding& decoding) {
  const std::string_view shape_name = take_shape(decoding);
  if (decoding.failed()) return nullptr;
  const bool saturates = decoding.take("satfinite");
  const Type d = decoding.take_type();
  const OperandType* a = find_operand_type(decoding.take_type());
  const OperandType* b = find_operand_type(decoding.take_type());
  const Type c = decoding.take_type();
  const bool are_alike = a != nullptr && b != nullptr && a->family == b->family && c == d;
  const Shape* shape = are_alike ? find_shape(shape_name, a->family) : nullptr;
  auto& facts = decoding.add_facts<MmaFacts>();
  if (shape != nullptr) {
    facts.rows = shape->rows;
    facts.depth = shape->depth;
  }
  if (shape == nullptr || !take_accumulator(facts, a->family, d, saturates)) {
    decoding.fail("there is no mma of this shape and these types, or it is not run");
    return nullptr;
  }
  const unsigned register_bits = a->family == Family::f64 ? 64 : 32;
  if (a->family == Family::f64) decoding.take("rn");  // the other roundings are not run
  facts.a_registers = facts.rows * facts.depth * a->bits / (register_bits * kLanes);
  facts.b_registers = kProductColumns * facts.depth * b->bits / (register_bits * kLanes);
  facts.load_a = a->load_a;
  facts.load_b = b->load_b;
  take_operands(decoding, facts, register_bits);
  decoding.step.tracks_definedness_itself = true;
  return execute_mma;
}

}  // namespace lathe::runtime::ptx
