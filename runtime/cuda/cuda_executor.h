// The CUDA executor: cubins through the driver, without the CUDA runtime or a toolkit.
#pragma once

#include <memory>

#include <lathe/error.h>

#include "runtime/cuda/driver_api.h"
#include "runtime/executor.h"

namespace lathe::runtime {

struct CudaOptions {
  int device = 0;  ///< ordinal, as CUDA_VISIBLE_DEVICES leaves them
};

/// Opens the driver and the device's primary context, which it shares with the CUDA runtime and PyTorch:
/// their streams and pointers can be used. Whatever context a calling thread has current stays current.
///
/// Stream capture: launch() may be captured and fill() as well. load(), synchronize(), time_ms() and copy()
/// may not: the last three return invalid_argument on a capturing stream. On other threads load() and memory
/// work go on while a stream is captured. A LoadedKernel must not be destroyed while its launches run, while
/// they are being captured, or before the graphs that contain them.
///
/// Errors: device_missing with a hint: no driver, one that is too old, no device, no such ordinal.
Result<std::unique_ptr<Executor>> open_cuda_executor(const CudaOptions& options);

/// The same on a driver that is bound already: for tests.
Result<std::unique_ptr<Executor>> open_cuda_executor(const CudaOptions& options, const cuda::DriverApi& api);

}  // namespace lathe::runtime
