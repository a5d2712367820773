// Session: a driver, a device and its retained primary context, which all parts of the executor share.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <lathe/error.h>
#include <lathe/target.h>

#include "runtime/cuda/driver_api.h"

namespace lathe::runtime::cuda {

/// What Lathe needs to know of a device. Sizes in bytes.
struct DeviceFacts {
  Device handle = 0;
  int ordinal = 0;
  std::string name{};
  int major = 0;  ///< compute capability
  int minor = 0;
  int multiprocessors = 0;
  std::size_t l2_bytes = 0;
  std::size_t shared_bytes_per_block = 0;  ///< static and dynamic together, after raising the attribute
  int driver = 0;                          ///< 13000 for 13.0

  bool has_clusters() const { return major >= 9; }
};

/// cuda:sm_90a for 9.0, whose tensor cores only architecture-specific code reaches; cuda:sm_XY for all
/// others, which run Lathe's portable kernels.
Target target_of(const DeviceFacts& device);

/// Owns one reference to the primary context, the one that the CUDA runtime and PyTorch use too. Immutable,
/// so safe to share between threads.
class Session {
 public:
  /// Initialises the driver. Errors: device_missing with a hint: no device, no such ordinal, or one that is
  /// not usable.
  static Result<std::unique_ptr<const Session>> open(const DriverApi& api, int ordinal);

  Session(const DriverApi& api, DeviceFacts device, Context context);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const DriverApi& api() const { return api_; }
  const DeviceFacts& device() const { return device_; }
  Context context() const { return context_; }

 private:
  DriverApi api_;
  DeviceFacts device_;
  Context context_;
};

}  // namespace lathe::runtime::cuda
