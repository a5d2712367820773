// CudaEntry: one entry point of a loaded kernel, ready to launch.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include <lathe/error.h>

#include "codegen/kernel_source.h"
#include "codegen/op.h"
#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/library_image.h"
#include "runtime/cuda/session.h"

namespace lathe::runtime::cuda {

/// Immutable. The Session and the LibraryImage that the function is in must outlive it.
class CudaEntry {
 public:
  /// What can be known of an entry's wishes before its code is loaded. Errors: unsupported, for one that asks
  /// for more than the device has; load_failed, for facts that cannot be.
  static Result<void> check(const DeviceFacts& device, const codegen::EntryPoint& entry);

  CudaEntry(const Session& session, const codegen::EntryPoint& entry, const LoadedEntry& loaded);

  /// Sets the function's attributes, once, so that launches set none. Errors: load_failed, unsupported.
  Result<void> set_attributes() const;

  /// Queues a launch. Allocates and waits for nothing, so it may be captured.
  /// Errors: launch_failed with the driver's words, invalid_argument for a grid or arguments that cannot be.
  /// REQUIRES: a grid that is not empty; the session's context is current.
  Result<void> launch(const codegen::Grid& grid, std::span<const std::byte> args, StreamHandle stream) const;

 private:
  Result<void> check_launch(const codegen::Grid& grid, std::size_t args_bytes) const;

  const Session& session_;
  std::string name_;
  codegen::LaunchFacts facts_;
  LoadedEntry loaded_;
  std::array<LaunchAttribute, 2> attributes_{};  // those of every launch, the first attribute_count_ in use
  unsigned attribute_count_ = 0;
};

}  // namespace lathe::runtime::cuda
