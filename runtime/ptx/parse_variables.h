// Reading declarations of variables: `.shared .align 16 .b8 tile[4][128];`
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include <lathe/error.h>

#include "runtime/ptx/scopes.h"
#include "runtime/ptx/syntax.h"
#include "runtime/ptx/token_reader.h"

namespace lathe::runtime::ptx {

/// Of a directive that begins a declaration of a variable.
std::optional<Space> space_of_directive(std::string_view directive);

/// Of an array, outermost first; nullopt: `[]`.
using Dimensions = std::vector<std::optional<std::size_t>>;

/// From the space to the semicolon. Reads initialisers, in which variables of `names` may be addressed.
Result<std::vector<Variable>> read_variables(TokenReader& reader, const ModuleNames& names, bool is_extern);

/// One of a function's list: `.param .u64 .ptr .global .align 16 name`.
Result<Variable> read_parameter(TokenReader& reader);

/// What follows `=`. Sets the variable's initializer and addresses, and its size where the outermost
/// dimension is not said.
Result<void> read_initializer(TokenReader& reader, const ModuleNames& names, const Dimensions& dimensions,
                              Variable& variable);

}  // namespace lathe::runtime::ptx
