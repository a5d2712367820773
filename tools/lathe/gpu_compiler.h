// What can be said about NVRTC before it compiles anything.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <lathe/error.h>
#include <lathe/target.h>

#include "tools/lathe/environment.h"

namespace lathe::tools {

struct NvrtcFacts {
  std::string path;
  std::string version;             ///< "13.0"
  std::vector<std::string> archs;  ///< "sm_80", ...: those it knows, without suffixes
};

/// Opens the NVRTC that a Runtime would use. Errors: toolchain_missing with what was tried.
Result<NvrtcFacts> find_nvrtc(const EnvironmentLookup& environment);

/// Refuses GPU architectures that NVRTC does not know, before hundreds of compiles fail one by one. Without
/// NVRTC it has nothing to say: the cache may hold the kernels all the same. Errors: invalid_argument naming
/// the architecture and the known ones.
Result<void> check_archs(std::span<const Target> targets, const EnvironmentLookup& environment);

}  // namespace lathe::tools
