// The opcodes that integers and floats share.
#pragma once

#include "runtime/ptx/instruction_table.h"

namespace lathe::runtime::ptx {

/// add, sub, mul, mad, fma, div, min, max, neg and abs: each goes by its last type.
void add_shared_arithmetic(InstructionTable& table);

}  // namespace lathe::runtime::ptx
