// atom, red, redux.
#include <array>
#include <bit>
#include <vector>

#include "runtime/ptx/access_modifiers.h"
#include "runtime/ptx/atomic_arithmetic.h"
#include "runtime/ptx/atomic_update.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warp_members.h"

namespace lathe::runtime::ptx {

namespace {

struct AtomicFacts : Facts {
  AtomicOperation operation = AtomicOperation::add;
  Type type = Type::u32;
  unsigned elements = 1;
  bool returns = false;
  Ordering ordering = Ordering::relaxed;
};

/// Returns the old value.
std::uint64_t update_one(const Place& place, unsigned element, const AtomicFacts& facts, std::uint64_t a,
                         std::uint64_t b) {
  std::byte* at = place.bytes + std::size_t{element} * bytes_of(facts.type);
  const bool flushes = facts.type == Type::f32 && facts.operation == AtomicOperation::add &&
                       place.space == Space::global && facts.elements == 1;
  return atomic_update(at, facts.operation, facts.type, a, b, flushes);
}

/// Outputs, of atom: old values. Inputs: address, a's, b.
void execute_atomic(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const AtomicFacts&>(*step.facts);
  const unsigned bytes = bytes_of(facts.type) * facts.elements;
  const Access access{.kind = AccessKind::atomic,
                      .bytes = bytes,
                      .alignment = bytes,
                      .space = step.space,
                      .ordering = facts.ordering};
  std::array<Place, kLanes> places;
  if (!locate_all(warp, step, step.input(0), access, places)) return;
  const bool has_second = facts.operation == AtomicOperation::compare_and_swap;
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!check_defined(warp, lane, places[lane], bytes)) return;
    for (unsigned i = 0; i < facts.elements; ++i) {
      if (warp.block().checks_definedness() && (warp.defined(step.input(1 + i)) >> lane & 1) == 0)
        return warp.fault(FaultKind::uninitialized, "it is an operand of an atomic operation", lane);
      const std::uint64_t b = has_second ? warp.value(step.input(2), lane) : 0;
      const std::uint64_t old = update_one(places[lane], i, facts, warp.value(step.input(1 + i), lane), b);
      if (facts.returns) warp.set_value(step.output(i), lane, old);
    }
  }
  if (warp.block().checks_races()) warp.block().races().observe(warp, access, places);
  for (unsigned i = 0; i < step.outputs; ++i) warp.set_defined(step.output(i), kAllLanes);
}

AtomicFacts& take_atomic(Decoding& decoding) {
  auto& facts = decoding.add_facts<AtomicFacts>();
  facts.ordering = take_ordering(decoding);
  decoding.step.space = take_space(decoding);
  take_cache_hints(decoding);
  decoding.take("noftz");
  facts.elements = take_vector(decoding);
  facts.type = decoding.take_type();
  for (const std::string_view name : std::vector(decoding.rest())) {
    if (const auto operation = atomic_operation_named(name)) {
      facts.operation = *operation;
      decoding.take(name);
    }
  }
  if (!is_atomic(facts.operation, facts.type)) decoding.fail("there is no such atomic operation");
  decoding.step.tracks_definedness_itself = true;
  return facts;
}

void take_operands(Decoding& decoding, const AtomicFacts& facts, std::size_t address) {
  const unsigned bits = bits_of(facts.type);
  decoding.address_input(decoding.operand(address), decoding.step.space);
  const auto elements = Decoding::elements_of(decoding.operand(address + 1));
  if (elements.size() != facts.elements) decoding.fail("the vector has another number of registers");
  for (const Operand* element : elements) decoding.input(*element, bits);
  if (facts.operation == AtomicOperation::compare_and_swap) decoding.input(address + 2, bits);
}

Execute decode_atom(Decoding& decoding) {
  AtomicFacts& facts = take_atomic(decoding);
  facts.returns = true;
  for (const Operand* element : Decoding::elements_of(decoding.operand(0)))
    decoding.output(*element, bits_of(facts.type));
  take_operands(decoding, facts, 1);
  return execute_atomic;
}

Execute decode_red(Decoding& decoding) {
  if (decoding.take("async")) return decode_async_reduction(decoding);
  take_operands(decoding, take_atomic(decoding), 0);
  return execute_atomic;
}

/// Output: the result. Inputs: value, members.
void execute_redux(Warp& warp, const Step& step) {
  if (!members_are_together(warp, step, step.input(1))) return;
  const auto& facts = static_cast<const AtomicFacts&>(*step.facts);
  const auto* values = warp.lanes<std::uint32_t>(step.input(0));
  const auto* members = warp.lanes<std::uint32_t>(step.input(1));
  std::uint32_t results[kLanes] = {};
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    LaneMask peers = warp.active() & members[lane];
    std::uint64_t result = values[std::countr_zero(peers)];
    for (peers &= peers - 1; peers != 0; peers &= peers - 1)
      result = combine(facts.operation, facts.type, result, values[std::countr_zero(peers)], 0);
    results[lane] = static_cast<std::uint32_t>(result);
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((warp.active() >> lane & 1) != 0) warp.lanes<std::uint32_t>(step.output(0))[lane] = results[lane];
  }
}

Execute decode_redux(Decoding& decoding) {
  if (!decoding.take("sync")) decoding.fail("redux is known as redux.sync");
  auto& facts = decoding.add_facts<AtomicFacts>();
  for (const std::string_view name : {"add", "min", "max", "and", "or", "xor"}) {
    if (decoding.take(name)) facts.operation = *atomic_operation_named(name);
  }
  facts.type = decoding.take_type();
  decoding.output(0, 32);
  decoding.input(1, 32);
  decoding.input(2, 32);
  return execute_redux;
}

}  // namespace

void add_atomic_instructions(InstructionTable& table) {
  table["atom"] = {decode_atom, StepClass::memory};
  table["red"] = {decode_red, StepClass::memory};
}

void add_reduction_instructions(InstructionTable& table) {
  table["redux"] = {decode_redux, StepClass::synchronization};
}

}  // namespace lathe::runtime::ptx
