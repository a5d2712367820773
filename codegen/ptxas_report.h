// What ptxas -v says of a kernel.
#pragma once

#include <string>
#include <string_view>

#include <lathe/kernel.h>

namespace lathe::codegen {

/// Reads registers, spills, stack and static shared memory of the entry function named from a log. What the
/// log does not say stays 0.
ResourceUse parse_ptxas_report(std::string_view log, std::string_view entry);

/// The log without its lines on how long ptxas took: what is stored should not differ from run to run.
std::string without_times(std::string_view log);

}  // namespace lathe::codegen
