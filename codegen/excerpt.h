// Numbered source lines around a compiler's errors.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/kernel_source.h"

namespace lathe::codegen {

/// Where a diagnostic points.
struct SourceLocation {
  std::string file;
  int line = 0;  ///< from 1
};

/// The locations of errors in a log, in order, each once. Understands `file(line): error: ...` (NVRTC) and
/// `file:line:column: error: ...` (Clang); warnings and notes are passed over.
std::vector<SourceLocation> error_locations(std::string_view log);

/// A few lines around each of the first three locations, with file name, line numbers and a mark at the line
/// itself.
std::string excerpt_around(std::span<const SourceLocation> locations, const KernelSource& source);

}  // namespace lathe::codegen
