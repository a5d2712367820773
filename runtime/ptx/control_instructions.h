// Branches, calls and exits.
#pragma once

#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

/// What stands behind the last instruction of every function.
Step final_return();

}  // namespace lathe::runtime::ptx
