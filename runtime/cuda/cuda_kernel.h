// CudaKernel: a kernel in the driver's hands, ready to launch.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <lathe/error.h>

#include "codegen/kernel_binary.h"
#include "codegen/op.h"
#include "runtime/cuda/cuda_entry.h"
#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/library_image.h"
#include "runtime/cuda/session.h"
#include "runtime/executor.h"

namespace lathe::runtime::cuda {

/// Immutable, so safe to launch from several threads. The Session must outlive it. Destroying it unloads the
/// code: see ~LibraryImage.
class CudaKernel : public LoadedKernel {
 public:
  /// Loads the code and sets the functions' attributes, once, so that launches set none. Errors: load_failed
  /// with the driver's log; unsupported, for a kernel that asks for more than the device has. Must not be
  /// called while this thread captures a stream.
  static Result<std::unique_ptr<LoadedKernel>> load(const Session& session,
                                                    const codegen::KernelBinary& binary);

  CudaKernel(const Session& session, LibraryImage image, const codegen::KernelBinary& binary);

  /// Queues a launch of each entry point whose grid is not empty. Allocates and waits for nothing, so it may
  /// be captured. Errors: launch_failed with the driver's words, invalid_argument for a grid or arguments
  /// that cannot be.
  Result<void> launch(const codegen::Grids& grids, std::span<const std::byte> args,
                      StreamHandle stream) const;

 private:
  const Session& session_;
  LibraryImage image_;
  std::vector<CudaEntry> entries_;
};

}  // namespace lathe::runtime::cuda
