// The CPU as an Executor: object files through ORC and JITLink, grids over oneTBB.
#pragma once

#include <memory>

#include <lathe/error.h>

#include "runtime/executor.h"

namespace lathe::runtime {

/// Errors: load_failed when LLVM's JIT cannot be set up.
Result<std::unique_ptr<Executor>> make_cpu_executor();

}  // namespace lathe::runtime
