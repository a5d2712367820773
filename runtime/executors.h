// Finding the device that a Runtime runs on.
#pragma once

#include <memory>

#include <lathe/error.h>
#include <lathe/target.h>

#include "runtime/executor.h"
#include "runtime/options.h"

namespace lathe::runtime {

/// The executor for the target, or with no target the CUDA device, else the CPU. Errors: device_missing or
/// unsupported, with what was looked for; with no target, the reasons of both.
Result<std::shared_ptr<Executor>> open_executor(const ResolvedOptions& options);

/// Whether code for `wanted` runs on `device`, else why not: the same GPU major version and at least its
/// minor one, and exactly the same for architecture-specific code (suffix a). REQUIRES: neither is native.
Result<void> check_runs_on(const Target& wanted, const Target& device);

}  // namespace lathe::runtime
