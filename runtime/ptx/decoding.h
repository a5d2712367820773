// Decoding: one instruction while it is turned into a Step. What a group of instructions is decoded with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lathe/error.h>

#include "runtime/ptx/frame_layout.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/syntax.h"

namespace lathe::runtime::ptx {

/// Reads an instruction's modifiers and operands and collects a Step. The first thing that does not fit is
/// remembered and makes finish() an error; what is asked afterwards gets harmless values, so that decode
/// functions need no checks of their own.
class Decoding {
 public:
  Decoding(const Instruction& instruction, FrameLayout& layout, const Module& module,
           const Function& function);

  const Instruction& instruction() const { return *instruction_; }
  const Module& module() const { return *module_; }
  const Function& function() const { return *function_; }
  FrameLayout& layout() { return *layout_; }

  // Modifiers. Each is taken once, in any order; one that nobody took is an error.

  /// Whether the instruction has the modifier; takes it.
  bool take(std::string_view modifier);
  /// The first of these that the instruction has, taken; empty if it has none.
  std::string_view take_any(std::initializer_list<std::string_view> modifiers);
  /// The next modifier that is a type, taken; an error if there is none.
  Type take_type();
  /// Takes all modifiers that begin so: cache hints and the like.
  void ignore_prefixed(std::string_view prefix);
  /// Those not taken yet.
  const std::vector<std::string_view>& rest() const { return rest_; }

  // Operands. Outputs are to be asked for before inputs; both are appended to the Step in the order asked.

  std::size_t operands() const { return instruction_->operands.size(); }
  const Operand& operand(std::size_t i);
  /// A register of exactly `bits`, or `_`.
  void output(const Operand& operand, unsigned bits);
  void output(std::size_t i, unsigned bits) { output(operand(i), bits); }
  /// A register of exactly `bits`, or an immediate or special register as such a value. bits 1: a predicate,
  /// which may be negated.
  void input(const Operand& operand, unsigned bits);
  void input(std::size_t i, unsigned bits) { input(operand(i), bits); }
  /// As above, but a register may be wider than the type: ld, st and cvt allow that. The Slot says how wide.
  void wide_output(const Operand& operand, unsigned bits);
  void wide_input(const Operand& operand, unsigned bits);
  /// The carry of extended precision, a predicate that has no name.
  void carry_output();
  void carry_input();
  /// A value made here.
  void constant_input(std::uint64_t value, unsigned bits);
  /// `[base + offset]`: a 32- or 64-bit register or a constant; sets Step::offset.
  void address_input(const Operand& operand, Space space);
  /// The elements of `{...}`, or the operand itself as the only one.
  static std::vector<const Operand*> elements_of(const Operand& operand);

  /// Where a label stands in Program::steps.
  std::uint32_t step_of_label(const Operand& operand);

  /// An integer immediate; an error if it is something else.
  std::int64_t immediate(std::size_t i);

  /// What else the Step is to say. Execute is set by finish().
  Step step;
  template <class T>
  T& add_facts() {
    auto facts = std::make_unique<T>();
    T& made = *facts;
    step.facts = facts.get();
    facts_ = std::move(facts);
    return made;
  }

  /// The first failure counts.
  void fail(std::string message);
  bool failed() const { return error_.has_value(); }

  struct Finished {
    Step step;
    std::vector<Slot> slots;
    std::unique_ptr<const Facts> facts;
  };
  /// Errors: load_failed naming line, text and what was not understood.
  Result<Finished> finish(Execute execute);

 private:
  void add_output(Slot slot);
  void add_input(Slot slot);
  Slot value_of(const Operand& operand, unsigned bits);
  std::uint64_t immediate_bits(const Operand& operand, unsigned bits);

  const Instruction* instruction_;
  FrameLayout* layout_;
  const Module* module_;
  const Function* function_;
  std::vector<std::string_view> rest_;
  std::vector<Slot> slots_;
  std::unique_ptr<const Facts> facts_;
  std::optional<std::string> error_;
};

/// Reads the rest of an instruction; returns how to execute it, nullptr if it failed.
using Decode = Execute (*)(Decoding&);

}  // namespace lathe::runtime::ptx
