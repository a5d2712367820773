#include "runtime/ptx/parse_instruction.h"

#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime::ptx {

Result<void> InstructionReader::read() {
  Instruction instruction;
  std::size_t begin = reader_->position();
  const int guard_line = reader_->peek().line;
  LATHE_CHECK(read_guard(instruction));
  instruction.line = reader_->peek().line;
  if (instruction.line != guard_line) begin = reader_->position();
  instruction.source = source_;
  instruction.inlined_at = inlined_at_;
  LATHE_TRY(instruction.opcode, reader_->expect_name("an opcode"));
  while (reader_->peek().kind == Token::Kind::directive) {
    instruction.modifiers.push_back(reader_->next().text.substr(1));
  }
  LATHE_CHECK(read_operands(instruction));
  instruction.text = reader_->text_from(begin);
  LATHE_CHECK(reader_->expect(";"));
  function_->code.push_back(std::move(instruction));
  return {};
}

/// `@%p` or `@!%p`, if there is one.
Result<void> InstructionReader::read_guard(Instruction& instruction) {
  if (!reader_->take("@")) return {};
  Instruction::Guard guard{.reg = 0, .is_negated = reader_->take("!")};
  LATHE_TRY(guard.reg, operands_.read_predicate(function_->registers));
  instruction.guard = guard;
  return {};
}

Result<void> InstructionReader::read_operands(Instruction& instruction) {
  if (instruction.opcode == "bra") return read_branch(instruction);
  if (instruction.opcode == "brx") return read_indexed_branch(instruction);
  if (instruction.opcode == "call") return read_call(instruction);
  if (reader_->next_is(";")) return {};
  do {
    LATHE_TRY(Operand operand, operands_.read());
    instruction.operands.push_back(std::move(operand));
  } while (reader_->take(","));
  return {};
}

Operand InstructionReader::label(std::string_view name) const {
  Operand operand;
  operand.kind = Operand::Kind::label;
  operand.name = name;
  operand.index = scopes_->current();
  return operand;
}

Result<void> InstructionReader::read_branch(Instruction& instruction) {
  LATHE_TRY(const std::string_view target, reader_->expect_name("a label"));
  instruction.operands.push_back(label(target));
  return {};
}

/// `brx.idx %r1, targets`
Result<void> InstructionReader::read_indexed_branch(Instruction& instruction) {
  LATHE_TRY(Operand index, operands_.read_simple());
  LATHE_CHECK(reader_->expect(","));
  const int line = reader_->peek().line;
  LATHE_TRY(const std::string_view name, reader_->expect_name("the label of a .branchtargets"));
  const std::vector<std::string_view>* const targets = scopes_->find_branch_targets(name);
  if (targets == nullptr) return reader_->error_at(line, fmt::format("no .branchtargets {}", name));
  instruction.operands.push_back(std::move(index));
  for (const std::string_view target : *targets) instruction.results.push_back(label(target));
  return {};
}

/// `(a, b)`: appended to the results.
Result<void> InstructionReader::read_arguments(Instruction& instruction) {
  LATHE_CHECK(reader_->expect("("));
  if (reader_->take(")")) return {};
  do {
    LATHE_TRY(Operand argument, operands_.read_simple());
    instruction.results.push_back(std::move(argument));
  } while (reader_->take(","));
  return reader_->expect(")");
}

/// `call (result), function, (a, b)`; what is in parentheses may be missing.
Result<void> InstructionReader::read_call(Instruction& instruction) {
  if (reader_->next_is("(")) {
    LATHE_CHECK(read_arguments(instruction));
    LATHE_CHECK(reader_->expect(","));
  }
  const std::size_t results = instruction.results.size();
  const int line = reader_->peek().line;
  LATHE_TRY(Operand callee, operands_.read_simple());
  if (callee.kind == Operand::Kind::reg) {
    return reader_->error_at(line, "calls through pointers are not supported");
  }
  if (callee.kind != Operand::Kind::function) return reader_->error_at(line, "a call needs a function");
  if (reader_->take(",")) LATHE_CHECK(read_arguments(instruction));
  if (reader_->next_is(",")) return reader_->error("calls with a prototype are not supported");
  const std::size_t arguments = instruction.results.size() - results;
  const Function& function = module_->functions[callee.index];
  if (results != function.results || arguments != function.parameters) {
    return reader_->error_at(
        line, fmt::format("`{}` has {} parameters and {} results, the call {} and {}", function.name,
                          function.parameters, function.results, arguments, results));
  }
  instruction.operands.push_back(std::move(callee));
  return {};
}

Result<void> InstructionReader::resolve(const Instruction& instruction,
                                        std::vector<Operand>& operands) const {
  for (Operand& operand : operands) {
    if (operand.kind != Operand::Kind::label) continue;
    const auto place = scopes_->find_label(operand.name, operand.index);
    if (!place) {
      return reader_->error_in(instruction.text, instruction.line, fmt::format("no label {}", operand.name));
    }
    operand.index = *place;
  }
  return {};
}

Result<void> InstructionReader::resolve_labels() {
  for (Instruction& instruction : function_->code) {
    LATHE_CHECK(resolve(instruction, instruction.operands));
    LATHE_CHECK(resolve(instruction, instruction.results));
  }
  return {};
}

}  // namespace lathe::runtime::ptx
