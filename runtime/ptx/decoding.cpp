#include "runtime/ptx/decoding.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/special_registers.h"

namespace lathe::runtime::ptx {

namespace {

/// What stands in for operands after a failure.
const Operand& no_operand() {
  static const Operand kNone;
  return kNone;
}

float narrowed(double value) {
  return static_cast<float>(value);
}

}  // namespace

Decoding::Decoding(const Instruction& instruction, FrameLayout& layout, const Module& module,
                   const Function& function)
    : instruction_(&instruction),
      layout_(&layout),
      module_(&module),
      function_(&function),
      rest_(instruction.modifiers) {}

bool Decoding::take(std::string_view modifier) {
  const auto at = std::find(rest_.begin(), rest_.end(), modifier);
  if (at == rest_.end()) return false;
  rest_.erase(at);
  return true;
}

std::string_view Decoding::take_any(std::initializer_list<std::string_view> modifiers) {
  for (const std::string_view modifier : modifiers) {
    if (take(modifier)) return modifier;
  }
  return {};
}

Type Decoding::take_type() {
  for (auto at = rest_.begin(); at != rest_.end(); ++at) {
    if (const auto type = type_named(*at)) {
      rest_.erase(at);
      return *type;
    }
  }
  fail("a type is missing");
  return Type::b32;
}

void Decoding::ignore_prefixed(std::string_view prefix) {
  std::erase_if(rest_, [&](std::string_view modifier) { return modifier.starts_with(prefix); });
}

const Operand& Decoding::operand(std::size_t i) {
  if (i < instruction_->operands.size()) return instruction_->operands[i];
  fail(fmt::format("operand {} is missing", i + 1));
  return no_operand();
}

std::vector<const Operand*> Decoding::elements_of(const Operand& operand) {
  std::vector<const Operand*> elements;
  if (operand.kind == Operand::Kind::vector || operand.kind == Operand::Kind::pair) {
    for (const Operand& element : operand.elements) elements.push_back(&element);
  } else {
    elements.push_back(&operand);
  }
  return elements;
}

void Decoding::add_output(Slot slot) {
  if (step.inputs != 0) fail("an output after an input");  // a defect of a decode function
  slots_.push_back(slot);
  ++step.outputs;
}

void Decoding::add_input(Slot slot) {
  slots_.push_back(slot);
  ++step.inputs;
}

void Decoding::output(const Operand& operand, unsigned bits) {
  if (operand.kind == Operand::Kind::sink) return add_output(layout_->sink(bits));
  if (operand.kind != Operand::Kind::reg || operand.is_negated) fail("the destination must be a register");
  if (failed()) return add_output(layout_->sink(bits));
  const Slot slot = layout_->register_slot(*function_, operand.index);
  if (slot.bits != bits) {
    fail(fmt::format("the destination has {} bits, the instruction writes {}", slot.bits, bits));
  }
  add_output(slot);
}

void Decoding::wide_output(const Operand& operand, unsigned bits) {
  if (operand.kind != Operand::Kind::reg) return output(operand, bits);
  const Slot slot = layout_->register_slot(*function_, operand.index);
  if (slot.bits < bits) {
    fail(fmt::format("the destination has {} bits, the instruction writes {}", slot.bits, bits));
  }
  add_output(slot);
}

std::uint64_t Decoding::immediate_bits(const Operand& operand, unsigned bits) {
  switch (operand.kind) {
    case Operand::Kind::integer:
      if (bits == 1) return operand.bits != 0 ? kAllLanes : 0;
      return operand.bits;
    case Operand::Kind::real32:
      if (bits == 64) {
        return std::bit_cast<std::uint64_t>(
            double{std::bit_cast<float>(static_cast<std::uint32_t>(operand.bits))});
      }
      return operand.bits;
    case Operand::Kind::real64:
      if (bits == 32) return std::bit_cast<std::uint32_t>(narrowed(std::bit_cast<double>(operand.bits)));
      return operand.bits;
    case Operand::Kind::variable:
      return layout_->address_of(*function_, operand) + operand.bits;
    default:
      fail("a register or an immediate is expected");
      return 0;
  }
}

Slot Decoding::value_of(const Operand& operand, unsigned bits) {
  if (operand.kind == Operand::Kind::special) {
    const auto special = special_named(operand.name);
    if (!special) {
      fail(fmt::format("the special register {} is not known", operand.name));
      return layout_->sink(bits);
    }
    return layout_->special(*special, bits);
  }
  const std::uint64_t value = immediate_bits(operand, bits);
  const std::uint64_t kept = bits == 1   ? value & kAllLanes
                             : bits < 64 ? value & ((std::uint64_t{1} << bits) - 1)
                                         : value;
  return layout_->constant(kept, bits);
}

void Decoding::input(const Operand& operand, unsigned bits) {
  if (operand.kind != Operand::Kind::reg) return add_input(value_of(operand, bits));
  Slot slot = layout_->register_slot(*function_, operand.index);
  slot.is_negated = operand.is_negated;
  if (operand.is_negated && bits != 1) fail("only a predicate can be negated");
  if (slot.bits != bits) {
    fail(fmt::format("a source has {} bits, the instruction reads {}", slot.bits, bits));
  }
  add_input(slot);
}

void Decoding::wide_input(const Operand& operand, unsigned bits) {
  if (operand.kind != Operand::Kind::reg) return input(operand, bits);
  const Slot slot = layout_->register_slot(*function_, operand.index);
  if (slot.bits < bits) {
    fail(fmt::format("a source has {} bits, the instruction reads {}", slot.bits, bits));
  }
  add_input(slot);
}

void Decoding::carry_output() {
  add_output(layout_->carry());
}

void Decoding::carry_input() {
  add_input(layout_->carry());
}

void Decoding::constant_input(std::uint64_t value, unsigned bits) {
  add_input(layout_->constant(value, bits));
}

void Decoding::address_input(const Operand& operand, Space space) {
  step.space = space;
  if (operand.kind != Operand::Kind::address || operand.elements.empty()) {
    fail("an address in brackets is expected");
    return constant_input(0, 64);
  }
  step.offset = static_cast<std::int64_t>(operand.bits);
  const Operand& base = operand.elements[0];
  if (base.kind == Operand::Kind::reg) {
    const Slot slot = layout_->register_slot(*function_, base.index);
    if (slot.bits != 32 && slot.bits != 64) fail("an address has 32 or 64 bits");
    return add_input(slot);
  }
  if (base.kind == Operand::Kind::variable) step.space = layout_->space_of(*module_, *function_, base);
  add_input(value_of(base, 64));
}

std::uint32_t Decoding::step_of_label(const Operand& operand) {
  if (operand.kind != Operand::Kind::label) fail("a label is expected");
  return failed() ? 0 : layout_->step_of(*function_, operand.index);
}

std::int64_t Decoding::immediate(std::size_t i) {
  const Operand& given = operand(i);
  if (given.kind != Operand::Kind::integer)
    fail(fmt::format("operand {} must be an integer constant", i + 1));
  return static_cast<std::int64_t>(given.bits);
}

void Decoding::fail(std::string message) {
  if (!error_) error_ = std::move(message);
}

Result<Decoding::Finished> Decoding::finish(Execute execute) {
  if (!rest_.empty() && !error_) fail(fmt::format("the modifier .{} is not known here", rest_.front()));
  if (execute == nullptr && !error_) fail("this form of the instruction is not known");
  if (error_) {
    return Error{
        .code = ErrorCode::load_failed,
        .stage = Stage::load,
        .message = fmt::format("PTX line {}: {} in `{}`", instruction_->line, *error_, instruction_->text),
        .hint = "the emulator runs what NVRTC emits; report this instruction"};
  }
  step.execute = execute;
  if (instruction_->guard) {
    step.guard = instruction_->guard->is_negated ? Step::Guard::if_false : Step::Guard::if_true;
    step.guard_slot = layout_->register_slot(*function_, instruction_->guard->reg);
  }
  return Finished{.step = step, .slots = std::move(slots_), .facts = std::move(facts_)};
}

}  // namespace lathe::runtime::ptx
