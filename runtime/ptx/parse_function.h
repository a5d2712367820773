// Reading functions: what stands before the body, and the body.
#pragma once

#include <cstddef>

#include <lathe/error.h>

#include "runtime/ptx/scopes.h"
#include "runtime/ptx/syntax.h"
#include "runtime/ptx/token_reader.h"

namespace lathe::runtime::ptx {

/// A module that is being read, and what its names stand for.
struct OpenModule {
  Module module;
  ModuleNames names;
};

/// From `.entry` or `.func` to the semicolon or the end of the body.
Result<void> read_function(TokenReader& reader, OpenModule& open, bool is_extern);

/// From `{` to `}`. REQUIRES: `function` has its parameters and results as variables.
Result<void> read_body(TokenReader& reader, OpenModule& open, Function& function);

/// `.pragma "nounroll";`
Result<void> skip_pragma(TokenReader& reader);

}  // namespace lathe::runtime::ptx
