// copysign; neg, abs, min and max of floats are declared in float_instructions.h.
#pragma once

#include "runtime/ptx/instruction_table.h"

namespace lathe::runtime::ptx {

void add_sign_instructions(InstructionTable& table);

}  // namespace lathe::runtime::ptx
