// FrameLayout: where a warp keeps registers, constants and special registers, and a block its variables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/ptx/program.h"
#include "runtime/ptx/syntax.h"

namespace lathe::runtime::ptx {

/// Bytes of a Slot of values of so many bits.
constexpr std::size_t slot_bytes(unsigned bits) {
  return bits == 1 ? sizeof(LaneMask) : std::size_t{bits} / 8 * kLanes;
}

/// Device functions keep their parameters in the thread's own memory; such addresses of the param space begin
/// here, those of the entry's parameters at 0.
constexpr std::uint64_t kThreadParamBase = std::uint64_t{1} << 20;

/// One for all functions that an entry reaches: there is no recursion, so that each function's registers and
/// variables have places of their own.
class FrameLayout {
 public:
  FrameLayout(const Module& module, const std::vector<const Function*>& functions);

  Slot register_slot(const Function& function, std::size_t index) const;
  Slot sink(unsigned bits);
  /// All lanes hold `value`; for bits 1 it is the mask.
  Slot constant(std::uint64_t value, unsigned bits);
  Slot special(Special special, unsigned bits);
  /// CC.CF, the predicate in which instructions of extended precision hand on their carry.
  Slot carry();

  /// Where an instruction stands in Program::steps. A call takes two steps, the others one; behind the last
  /// one stands a return.
  std::uint32_t step_of(const Function& function, std::size_t instruction) const {
    return places_.at(&function).steps.at(instruction);
  }
  /// Where its n-th variable is: parameters first, then results.
  std::uint64_t variable_of(const Function& function, std::size_t n) const {
    return places_.at(&function).variables.at(n);
  }
  /// Whether the entry reaches it.
  bool has(const Function& function) const { return places_.contains(&function); }

  /// The address of a variable in its own space; what `mov` gives.
  std::uint64_t address_of(const Function& function, const Operand& variable) const;
  static Space space_of(const Module& module, const Function& function, const Operand& variable);

  /// Moves what was laid out into the program: sizes, constants, specials, module variables.
  void finish(Program& program);

 private:
  struct Places {
    std::vector<Slot> registers;
    std::vector<std::uint64_t> variables;
    std::vector<std::uint32_t> steps;
  };
  Slot allocate(unsigned bits);
  std::uint64_t place_shared(const Variable& variable);
  std::uint64_t place_thread(const Variable& variable);
  void place_module_variables();
  void place_function(const Function& function);
  void place_dynamic_shared(const std::vector<const Function*>& functions);
  void link_addresses();

  const Module* module_;
  std::map<const Function*, Places> places_;
  std::vector<std::uint64_t> module_variables_;
  std::vector<GlobalVariable> variables_;
  std::vector<std::unique_ptr<std::byte[]>> storage_;
  std::map<std::pair<std::uint64_t, unsigned>, Slot> constants_;
  std::map<std::pair<Special, unsigned>, Slot> specials_;
  std::map<unsigned, Slot> sinks_;
  std::optional<Slot> carry_;
  std::uint32_t steps_ = 0;
  std::size_t frame_bytes_ = 0;
  std::uint32_t next_id_ = Slot::kSink + 1;
  std::size_t parameter_bytes_ = 0;
  std::size_t shared_bytes_ = 0;
  std::size_t thread_bytes_ = 0;
  std::size_t dynamic_align_ = 1;  ///< of dynamic shared memory; 1 if no variable names it
};

}  // namespace lathe::runtime::ptx
