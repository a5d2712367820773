// Reading what stands between the commas of an instruction.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <lathe/error.h>

#include "runtime/ptx/scopes.h"
#include "runtime/ptx/syntax.h"
#include "runtime/ptx/token_reader.h"

namespace lathe::runtime::ptx {

class OperandReader {
 public:
  OperandReader(TokenReader& reader, Scopes& scopes) : reader_(&reader), scopes_(&scopes) {}

  Result<Operand> read();
  /// One that cannot hold others: a register, `_`, `!%p`, a number, a symbol, a special register.
  Result<Operand> read_simple();
  /// The index of a predicate register.
  Result<std::size_t> read_predicate(const std::vector<Register>& registers);

 private:
  Result<Operand> read_vector();
  Result<Operand> read_address();
  Result<Operand> read_named();

  TokenReader* reader_;
  Scopes* scopes_;
};

}  // namespace lathe::runtime::ptx
