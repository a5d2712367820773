// What ptxas -v says of a kernel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <lathe/kernel.h>

#include "codegen/kernel_source.h"

namespace lathe::codegen {

/// Reads registers, spills, stack and static shared memory of the entry function named from a log. What the
/// log does not say stays 0.
ResourceUse parse_ptxas_report(std::string_view log, std::string_view entry);

/// The most that any entry uses of each, with the dynamic shared memory that their launches ask for.
ResourceUse resources_of(std::string_view log, const std::vector<EntryPoint>& entries);

/// The log without its lines on how long ptxas took: what is stored should not differ from run to run.
std::string without_times(std::string_view log);

}  // namespace lathe::codegen
