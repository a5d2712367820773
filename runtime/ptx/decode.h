// decode: a parsed module and the name of an entry become a Program.
#pragma once

#include <string_view>

#include <lathe/error.h>

#include "runtime/ptx/program.h"
#include "runtime/ptx/syntax.h"

namespace lathe::runtime::ptx {

/// Errors: load_failed; no such entry, a function that is called but not there, recursion, an instruction or
/// form of one that the emulator does not know, with line and text.
Result<Program> decode(const Module& module, std::string_view entry);

}  // namespace lathe::runtime::ptx
