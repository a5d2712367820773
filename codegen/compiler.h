// Compiler: the seam between rendered sources and machine code. Implementations: NVRTC, Clang, and a fake for
// tests.
#pragma once

#include <string>

#include <lathe/error.h>
#include <lathe/target.h>

#include "codegen/kernel_binary.h"
#include "codegen/kernel_source.h"

namespace lathe::codegen {

/// Stateless and thread-safe. Writes no files and prints nothing.
class Compiler {
 public:
  virtual ~Compiler() = default;

  /// Stable text that changes whenever the output may: name, full version, options that are always set. It is
  /// part of the key, so it holds no path, time or host name. Cheap after the first call.
  virtual std::string identity() const = 0;

  /// A failure is compile_failed with log and numbered excerpt, or unsupported for an unknown architecture
  /// (the message lists the known ones).
  virtual Result<KernelBinary> compile(const KernelSource& source, const Target& target) const = 0;
};

}  // namespace lathe::codegen
