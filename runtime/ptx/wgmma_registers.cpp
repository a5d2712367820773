#include <memory>

#include <fmt/format.h>

#include "runtime/ptx/warp.h"
#include "runtime/ptx/wgmma_facts.h"
#include "runtime/ptx/wgmma_state.h"

namespace lathe::runtime::ptx {

namespace {

const WgmmaFacts* facts_of(const Step& step) {
  return dynamic_cast<const WgmmaFacts*>(step.facts);
}

std::string place_of(const Program& program, std::uint32_t instruction) {
  const Origin& origin = program.origins[instruction];
  if (origin.source.empty()) return fmt::format("PTX line {}", origin.line);
  return fmt::format("PTX line {} ({})", origin.line, origin.source);
}

std::span<const Slot> outputs_of(const Step& step) {
  return {step.slots, step.outputs};
}

std::span<const Slot> inputs_of(const Step& step) {
  return {step.slots + step.outputs, step.inputs};
}

}  // namespace

WgmmaRegisters::Use& WgmmaRegisters::use_of(Slot slot) {
  if (slot.id >= uses_.size()) uses_.resize(slot.id + std::size_t{1});
  return uses_[slot.id];
}

std::string WgmmaRegisters::in_flight(const Program& program, const Use& use, bool is_read) const {
  return fmt::format(
      "{} a register that is in use by the wgmma at {} as {}, which no wgmma.wait_group covers yet",
      is_read ? "reads" : "writes", place_of(program, use.product->instruction),
      use.accumulating != 0 ? "accumulator" : "part of A");
}

std::string WgmmaRegisters::conflict_of_access(const Program& program, const Step& step) const {
  for (const Slot slot : outputs_of(step)) {
    if (slot.id >= uses_.size()) continue;
    const Use& use = uses_[slot.id];
    if (use.accumulating != 0 || use.feeding != 0) return in_flight(program, use, false);
  }
  for (const Slot slot : inputs_of(step)) {
    if (slot.id < uses_.size() && uses_[slot.id].accumulating != 0)
      return in_flight(program, uses_[slot.id], true);
  }
  return {};
}

void WgmmaRegisters::note_writes(const Step& step) {
  for (const Slot slot : outputs_of(step)) {
    Use& use = use_of(slot);
    use.written = fences_;
    use.written_by = step.instruction;
    use.is_moved = step.step_class == StepClass::move;
  }
}

std::string WgmmaRegisters::unfenced(const Program& program, const Use& use) const {
  const bool is_excused = use.is_moved && use.product_issued != fences_;
  if (use.written != fences_ || is_excused) return {};
  return fmt::format("one of its registers was written at {}, and there was no wgmma.fence since",
                     place_of(program, use.written_by));
}

std::string WgmmaRegisters::conflict_of_product(const Program& program, const Step& step) {
  if (fences_ == 0) return "there was no wgmma.fence before the first wgmma of the warp";
  const WgmmaFacts& facts = *facts_of(step);
  for (const Slot slot : facts.a(step)) {
    const Use& use = use_of(slot);
    if (use.accumulating != 0) return in_flight(program, use, true);
    if (auto text = unfenced(program, use); !text.empty()) return text;
  }
  const auto accumulators = facts.d(step);
  for (std::size_t i = 0; i < accumulators.size(); ++i) {
    const Use& use = use_of(accumulators[i]);
    if (use.accumulating != 0) {
      const Step& other = *use.product;
      const bool follows = facts.has_shape_of(*facts_of(other)) && other.outputs == step.outputs &&
                           other.output(i).id == accumulators[i].id;
      if (!follows) return in_flight(program, use, false) + ", and is not of the same shape and registers";
    }
    if (use.feeding != 0) return in_flight(program, use, false);
    if (auto text = unfenced(program, use); !text.empty()) return text;
  }
  return {};
}

void WgmmaRegisters::begin(const Step& step) {
  const auto note = [&](Slot slot) -> Use& {
    Use& use = use_of(slot);
    use.product = &step;
    use.product_issued = fences_;
    use.written = kNever;  // what was written is seen by this product
    return use;
  };
  for (const Slot slot : facts_of(step)->a(step)) ++note(slot).feeding;
  for (const Slot slot : facts_of(step)->d(step)) ++note(slot).accumulating;
}

void WgmmaRegisters::end(const Step& step) {
  for (const Slot slot : facts_of(step)->a(step)) --use_of(slot).feeding;
  for (const Slot slot : facts_of(step)->d(step)) --use_of(slot).accumulating;
}

// ---- steps that use registers of wgmma

namespace {

struct WatchedFacts : Facts {
  Step step;  ///< as it was
};

void execute_watched(Warp& warp, const Step& watched) {
  const Step& step = static_cast<const WatchedFacts&>(*watched.facts).step;
  WgmmaRegisters& registers = warp.wgmma.registers;
  const std::string conflict = registers.conflict_of_access(warp.program(), step);
  if (!conflict.empty()) return warp.fault(FaultKind::illegal, conflict);
  registers.note_writes(step);
  step.execute(warp, step);
}

/// By Slot::id.
std::vector<bool> registers_of_products(const Program& program) {
  std::vector<bool> used(program.slot_ids);
  for (const Step& step : program.steps) {
    const WgmmaFacts* facts = facts_of(step);
    if (facts == nullptr) continue;
    for (const Slot slot : facts->a(step)) used[slot.id] = true;
    for (const Slot slot : facts->d(step)) used[slot.id] = true;
  }
  used[Slot::kConstant] = false;
  return used;
}

}  // namespace

void watch_wgmma_registers(Program& program) {
  const std::vector<bool> used = registers_of_products(program);
  for (Step& step : program.steps) {
    if (facts_of(step) != nullptr) continue;
    bool is_watched = false;
    for (const Slot slot : outputs_of(step)) is_watched = is_watched || used[slot.id];
    for (const Slot slot : inputs_of(step)) is_watched = is_watched || used[slot.id];
    if (!is_watched) continue;
    auto facts = std::make_unique<WatchedFacts>();
    facts->step = step;
    step.execute = execute_watched;
    step.facts = facts.get();
    program.facts.push_back(std::move(facts));
  }
}

}  // namespace lathe::runtime::ptx
