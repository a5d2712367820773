// Small steps on a stream that the executor and its memory share.
#pragma once

#include <string_view>

#include <lathe/error.h>

#include "runtime/cuda/session.h"

namespace lathe::runtime::cuda {

/// Success, or the driver's words as launch_failed.
Result<void> check_call(const DriverApi& api, Status status, std::string_view call);

/// Errors: invalid_argument when the stream is being captured: `what` would wait for work that capturing only
/// records.
Result<void> check_not_capturing(const DriverApi& api, StreamHandle stream, std::string_view what);

/// Waits for the stream. Errors: launch_failed, with what became of the work.
Result<void> wait_for(const DriverApi& api, StreamHandle stream);

}  // namespace lathe::runtime::cuda
