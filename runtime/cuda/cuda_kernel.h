// CudaKernel: a kernel in the driver's hands, ready to launch.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <lathe/error.h>

#include "codegen/kernel_binary.h"
#include "codegen/op.h"
#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/library_image.h"
#include "runtime/cuda/session.h"
#include "runtime/executor.h"

namespace lathe::runtime::cuda {

/// Immutable, so safe to launch from several threads. The Session must outlive it. Destroying it unloads the
/// code: see ~LibraryImage.
class CudaKernel : public LoadedKernel {
 public:
  /// Loads the code and sets the function's attributes, once, so that launches set none. Errors: load_failed
  /// with the driver's log; unsupported, for a kernel that asks for more than the device has. Must not be
  /// called while this thread captures a stream.
  static Result<std::unique_ptr<LoadedKernel>> load(const Session& session,
                                                    const codegen::KernelBinary& binary);

  CudaKernel(const Session& session, LibraryImage image, const codegen::KernelBinary& binary);

  /// Queues a launch, or nothing for an empty grid. Allocates and waits for nothing, so it may be captured.
  /// Errors: launch_failed with the driver's words, invalid_argument for a grid or arguments that cannot be.
  Result<void> launch(const codegen::Grid& grid, std::span<const std::byte> args, StreamHandle stream) const;

 private:
  Result<void> set_attributes() const;
  Result<void> check_launch(const codegen::Grid& grid, std::size_t args_bytes) const;

  const Session& session_;
  LibraryImage image_;
  std::string entry_;
  codegen::LaunchFacts facts_;
  std::array<LaunchAttribute, 2> attributes_{};  // those of every launch, the first attribute_count_ in use
  unsigned attribute_count_ = 0;
};

}  // namespace lathe::runtime::cuda
