// Scopes that leave the calling thread's CUDA state as they found it. For use on one thread, on the stack.
#pragma once

#include "runtime/cuda/driver_api.h"

namespace lathe::runtime::cuda {

/// Makes a context current while it lives. Where it is current already, which is the common case, it costs
/// one query and changes nothing.
class ContextScope {
 public:
  ContextScope(const DriverApi& api, Context context);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

  /// Anything but success: the context is not current.
  Status status() const { return status_; }

 private:
  const DriverApi& api_;
  Status status_;
  bool pushed_ = false;
};

/// Lets this thread allocate and load while *another* thread captures a stream in CUDA's default, global
/// mode, which otherwise both fails here and spoils the capture there.
class RelaxedCaptureScope {
 public:
  explicit RelaxedCaptureScope(const DriverApi& api);
  ~RelaxedCaptureScope();
  RelaxedCaptureScope(const RelaxedCaptureScope&) = delete;
  RelaxedCaptureScope& operator=(const RelaxedCaptureScope&) = delete;

 private:
  const DriverApi& api_;
  CaptureMode mode_ = CaptureMode::relaxed;
  bool exchanged_;
};

}  // namespace lathe::runtime::cuda
