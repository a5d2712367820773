// PTX text to syntax tree.
#pragma once

#include <string>

#include <lathe/error.h>

#include "runtime/ptx/syntax.h"

namespace lathe::runtime::ptx {

/// Every name resolved; the views of the result point into its own copy of the text.
/// load_failed, with the line of the PTX text in the message and in the excerpt, where it is not PTX or uses
/// what syntax.h cannot hold.
Result<Module> parse(std::string text);

}  // namespace lathe::runtime::ptx
