// Driver failures as Errors: the driver's name and words, and what to do about them.
#pragma once

#include <string_view>

#include <lathe/error.h>

#include "runtime/cuda/driver_api.h"

namespace lathe::runtime::cuda {

/// The call that failed, and what its failure means to the caller.
struct FailedCall {
  std::string_view call;  ///< "cuLaunchKernelEx"
  Stage stage = Stage::launch;
  ErrorCode code = ErrorCode::launch_failed;
};

/// "cuLaunchKernelEx: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access ...", with a hint where
/// there is one. `code` is replaced by out_of_memory where that is what happened.
Error driver_error(const DriverApi& api, Status status, const FailedCall& failed);

/// What to do about it; empty where the driver's words are all there is to say.
std::string_view hint_for(Status status);

}  // namespace lathe::runtime::cuda
