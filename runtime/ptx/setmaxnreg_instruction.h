// setmaxnreg: a warpgroup releases registers or takes what others have released.
#pragma once

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

/// Direction, range, that all four warps execute the same, and that there are registers to take are checked;
/// not, that a warp needs no more registers than it has, which only ptxas can know, nor that the warps meet
/// at a barrier between one setmaxnreg and the next. See RegisterBudget for kernels whose number of registers
/// is not known.
Execute decode_setmaxnreg(Decoding& decoding);

/// The largest number that a setmaxnreg.inc of the program asks for; 0: it has none.
unsigned largest_register_increase(const Program& program);

}  // namespace lathe::runtime::ptx
