// Whole files in and out.
#pragma once

#include <string>
#include <string_view>

#include <lathe/error.h>

namespace lathe::tools {

/// The content of a file, or of standard input for "-". Errors: io_failed naming path and reason.
Result<std::string> read_file(const std::string& path);

/// Writes a new file beside `path` and renames it, so that a reader never sees half of it and a failure
/// leaves the old one. Errors: io_failed naming path and reason.
Result<void> write_file(const std::string& path, std::string_view content);

}  // namespace lathe::tools
