// Specs as they are given on a command line.
#pragma once

#include <string>

#include <lathe/error.h>
#include <lathe/specs.h>

namespace lathe::tools {

/// A spec from a file, from standard input for "-", or from the text itself when it begins with '{'. Fields
/// are checked and defaults resolved. Errors: io_failed, or invalid_spec naming file, field, value and what
/// is allowed.
Result<KernelSpec> read_spec(const std::string& source);

/// The same for text: `where` is put before messages, unless empty.
Result<KernelSpec> parse_spec(const std::string& text, const std::string& where);

/// "rms_norm 4096 bf16 ...": what differs from the defaults, short enough for a table.
std::string short_name(const KernelSpec& spec);

}  // namespace lathe::tools
