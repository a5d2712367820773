// Reading the instructions of one function.
#pragma once

#include <string_view>
#include <vector>

#include <lathe/error.h>

#include "runtime/ptx/parse_operands.h"
#include "runtime/ptx/scopes.h"
#include "runtime/ptx/syntax.h"
#include "runtime/ptx/token_reader.h"

namespace lathe::runtime::ptx {

class InstructionReader {
 public:
  InstructionReader(TokenReader& reader, Scopes& scopes, const Module& module, Function& function)
      : reader_(&reader),
        scopes_(&scopes),
        module_(&module),
        function_(&function),
        operands_(reader, scopes) {}

  /// From the guard to the semicolon; appended to the function's code.
  Result<void> read();
  /// Of the instructions that follow; from `.loc`.
  void set_location(const SourceLine& source, const SourceLine& inlined_at) {
    source_ = source;
    inlined_at_ = inlined_at;
  }
  /// Once, after the last instruction: branches may go forward.
  Result<void> resolve_labels();

 private:
  Result<void> read_guard(Instruction& instruction);
  Result<void> read_operands(Instruction& instruction);
  Result<void> read_branch(Instruction& instruction);
  Result<void> read_indexed_branch(Instruction& instruction);
  Result<void> read_call(Instruction& instruction);
  Result<void> read_arguments(Instruction& instruction);
  /// Until resolve_labels(), the operand's index is the scope to look from.
  Operand label(std::string_view name) const;
  Result<void> resolve(const Instruction& instruction, std::vector<Operand>& operands) const;

  TokenReader* reader_;
  Scopes* scopes_;
  const Module* module_;
  Function* function_;
  OperandReader operands_;
  SourceLine source_;
  SourceLine inlined_at_;
};

}  // namespace lathe::runtime::ptx
