// NVRTC as a Compiler: rendered CUDA C++ -> cubin and PTX of any architecture, without a GPU.
#pragma once

#include <memory>
#include <string>

#include <lathe/error.h>

#include "codegen/compiler.h"

namespace lathe::codegen {

struct NvrtcOptions {
  std::string path;  ///< of libnvrtc; empty: the usual places
};

/// Errors: toolchain_missing with what was tried and what to install. The compiler may be used from several
/// threads at once, and then compiles at once. Its code has line information, for profilers and the emulator.
Result<std::unique_ptr<Compiler>> open_nvrtc(const NvrtcOptions& options);

}  // namespace lathe::codegen
