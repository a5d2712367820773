// Whether bytes are an object file that the linker can be trusted with.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <lathe/error.h>

namespace lathe::runtime {

/// JITLink takes positions and indices in an object file at their word and writes where they say, so a
/// damaged file would crash the process. Checks all of them: sections lie in the file, symbols in their
/// sections, relocations in what they change. Says nothing about what the code does. Errors: load_failed.
Result<void> check_object(std::span<const std::byte> object);

/// The names that the object file uses and does not define. REQUIRES: check_object passed.
std::vector<std::string> undefined_symbols(std::span<const std::byte> object);

}  // namespace lathe::runtime
