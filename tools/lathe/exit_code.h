// What the program's exit status says.
#pragma once

#include <lathe/error.h>

namespace lathe::tools {

/// The numbers are a contract with scripts.
enum class ExitCode : int {
  ok = 0,
  usage = 1,       ///< the command line, a file named on it, or a spec in it is wrong
  failed = 2,      ///< some specs failed to compile or a kernel failed to run
  incomplete = 3,  ///< something is missing or damaged, or a result is wrong
  cache = 4,       ///< the cache directory cannot be used
  toolchain = 5,   ///< a compiler, driver or device is missing
  interrupted = 130,
};

/// The status for a command that ends with this error.
ExitCode exit_code_of(const Error& error);

}  // namespace lathe::tools
