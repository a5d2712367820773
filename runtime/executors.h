// Finding the device that a Runtime runs on.
#pragma once

#include <memory>
#include <optional>

#include <lathe/error.h>
#include <lathe/target.h>

#include "runtime/executor.h"

namespace lathe::runtime {

/// The executor for a target, or with no target the first CUDA device, else the CPU. Errors: device_missing
/// or unsupported, with what was looked for; with no target, the reasons of both.
Result<std::shared_ptr<Executor>> open_executor(const std::optional<Target>& target, int device);

/// Whether code for `wanted` runs on `device`, else why not: the same GPU major version and at least its
/// minor one, and exactly the same for architecture-specific code (suffix a). REQUIRES: neither is native.
Result<void> check_runs_on(const Target& wanted, const Target& device);

}  // namespace lathe::runtime
