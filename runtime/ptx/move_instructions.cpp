// mov, cvta, isspacep, and the registers that change while a kernel runs.
#include <bit>

#include "runtime/ptx/access_modifiers.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/lanes.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

template <class T>
T same(T value) {
  return value;
}

Execute move_of(unsigned bits) {
  switch (bits) {
    case 1:
      return elementwise<same<bool>>;
    case 8:
      return elementwise<same<std::uint8_t>>;
    case 16:
      return elementwise<same<std::uint16_t>>;
    case 32:
      return elementwise<same<std::uint32_t>>;
    case 64:
      return elementwise<same<std::uint64_t>>;
    default:
      return nullptr;
  }
}

/// `mov.b32 d, {low, high}`.
void execute_pack(Warp& warp, const Step& step) {
  const unsigned bits = step.input(0).bits;
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    std::uint64_t value = 0;
    for (unsigned i = 0; i < step.inputs; ++i) value |= warp.value(step.input(i), lane) << (i * bits);
    warp.set_value(step.output(0), lane, value);
  }
}

/// `mov.b32 {low, high}, a`.
void execute_unpack(Warp& warp, const Step& step) {
  const auto bits = static_cast<unsigned>(step.number);
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    const std::uint64_t value = warp.value(step.input(0), lane);
    for (unsigned i = 0; i < step.outputs; ++i) warp.set_value(step.output(i), lane, value >> (i * bits));
  }
}

/// Time passes by a step each: the same in every run.
void execute_clock(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1)
    warp.set_value(step.output(0), static_cast<unsigned>(std::countr_zero(left)),
                   warp.steps_run() >> step.number);
}

bool decode_clock(Decoding& decoding, unsigned bits) {
  const Operand& source = decoding.operand(1);
  if (source.kind != Operand::Kind::special) return false;
  const bool is_upper = source.name == "%clock_hi" || source.name == "%globaltimer_hi";
  const bool is_lower = source.name == "%clock" || source.name == "%clock64" ||
                        source.name == "%globaltimer" || source.name == "%globaltimer_lo";
  if (!is_upper && !is_lower) return false;
  decoding.output(0, bits);
  decoding.step.number = is_upper ? 32 : 0;
  return true;
}

Execute decode_move(Decoding& decoding) {
  const unsigned bits = bits_of(decoding.take_type());
  if (decode_clock(decoding, bits)) return execute_clock;
  const Operand& to = decoding.operand(0);
  const Operand& from = decoding.operand(1);
  if (to.kind == Operand::Kind::vector) {
    const unsigned part = bits / static_cast<unsigned>(to.elements.size());
    for (const Operand& element : to.elements) decoding.output(element, part);
    decoding.input(from, bits);
    decoding.step.number = part;
    return execute_unpack;
  }
  decoding.output(to, bits);
  if (from.kind == Operand::Kind::vector) {
    const unsigned part = bits / static_cast<unsigned>(from.elements.size());
    for (const Operand& element : from.elements) decoding.input(element, part);
    return execute_pack;
  }
  decoding.input(from, bits);
  return move_of(bits);
}

std::uint64_t window_of(Space space) {
  switch (space) {
    case Space::shared:
    case Space::shared_cluster:
      return kSharedWindow;
    case Space::local:
      return kLocalWindow;
    case Space::param:
      return kParamWindow;
    default:
      return 0;
  }
}

std::uint64_t with_window(std::uint64_t address, std::uint64_t window) {
  return address | window;
}
std::uint64_t without_window(std::uint64_t address, std::uint64_t window) {
  return address & ~window;
}

Execute decode_convert_address(Decoding& decoding) {
  const bool to_space = decoding.take("to");
  const Space space = take_space(decoding);
  if (decoding.take_type() != Type::u64) decoding.fail("addresses have 64 bits");
  decoding.output(0, 64);
  decoding.input(1, 64);
  decoding.constant_input(window_of(space), 64);
  return to_space ? elementwise<without_window> : elementwise<with_window>;
}

bool is_in_window(std::uint64_t address, std::uint64_t window) {
  return address >> 56 == window >> 56;
}

Execute decode_is_space(Decoding& decoding) {
  const Space space = take_space(decoding);
  decoding.output(0, 1);
  decoding.input(1, 64);
  decoding.constant_input(window_of(space), 64);
  return elementwise<is_in_window>;
}

}  // namespace

void add_move_instructions(InstructionTable& table) {
  table["mov"] = {decode_move, StepClass::move};
  table["cvta"] = {decode_convert_address, StepClass::move};
  table["isspacep"] = {decode_is_space, StepClass::move};
}

}  // namespace lathe::runtime::ptx
