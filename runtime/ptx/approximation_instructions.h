// Decoding of the approximate forms of opcodes that have correctly rounded ones, too; .approx or .full is
// taken already.
#pragma once

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/instruction_table.h"

namespace lathe::runtime::ptx {

Execute decode_approximate_quotient(Decoding& d);
Execute decode_full_range_quotient(Decoding& d);
Execute decode_approximate_reciprocal(Decoding& d);
Execute decode_approximate_square_root(Decoding& d);

/// rsqrt, sin, cos, lg2, ex2, tanh.
void add_approximation_instructions(InstructionTable& table);

}  // namespace lathe::runtime::ptx
