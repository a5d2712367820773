// The command line: parsing, and what every command does before and after.
#pragma once

#include <string>
#include <vector>

#include "tools/lathe/console.h"
#include "tools/lathe/environment.h"

namespace lathe::tools {

/// Runs one command line, without the program's name, and returns the exit status.
int run_program(const std::vector<std::string>& arguments, Console& console,
                const EnvironmentLookup& environment);

}  // namespace lathe::tools
