// Executor: the seam between binaries and devices. Implementations: CUDA driver, CPU (ORC), PTX emulator, and
// a fake.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <lathe/error.h>
#include <lathe/kernel.h>
#include <lathe/target.h>

#include "codegen/kernel_binary.h"
#include "codegen/op.h"
#include "runtime/tensor_map.h"

namespace lathe::runtime {

/// A kernel in a device's hands. Unloads itself; must not outlive its Executor.
class LoadedKernel {
 public:
  virtual ~LoadedKernel() = default;
};

/// Memory of a device.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  /// Aligned to 256 bytes at least. Errors: out_of_memory, naming the size. 0 bytes give a valid pointer.
  virtual Result<void*> allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) noexcept = 0;
  /// Ordered on the stream, complete on return. Either pointer may be host or device memory.
  virtual Result<void> copy(void* to, const void* from, std::size_t bytes, Stream stream) = 0;
  /// Ordered on the stream; not waited for.
  virtual Result<void> fill(void* pointer, unsigned char value, std::size_t bytes, Stream stream) = 0;
};

/// Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;

  /// The device: its target (never native) and a line about it, for doctor and reports.
  struct Device {
    Target target;
    std::string name;    ///< "NVIDIA H200", "Intel(R) Xeon(R) ..."
    std::string driver;  ///< "13.0", or empty
    int processors = 1;  ///< SMs, or threads that kernels use
    std::size_t last_level_cache_bytes = 0;
  };
  virtual const Device& device() const = 0;

  /// Errors: load_failed with the linker's or driver's words. Must not be called during stream capture.
  virtual Result<std::unique_ptr<LoadedKernel>> load(const codegen::KernelBinary& binary) = 0;

  /// Queues one launch of each entry point whose grid is not empty, in order. `args` are copied before it
  /// returns. REQUIRES: a kernel that this executor loaded.
  virtual Result<void> launch(const LoadedKernel& kernel, const codegen::Grids& grids,
                              std::span<const std::byte> args, Stream stream) = 0;

  /// Waits for the stream and reports failures of what ran on it.
  virtual Result<void> synchronize(Stream stream) = 0;

  /// Milliseconds of device time between the two ends of `work`, which queues on `stream`.
  virtual Result<double> time_ms(Stream stream, const std::function<Result<void>()>& work) = 0;

  virtual DeviceMemory& memory() = 0;

  /// On the host: no stream or device memory is touched. Errors: invalid_argument for what breaks the rules
  /// of check_tensor_map(); unsupported where kernels do not use tensor maps.
  virtual Result<TensorMap> encode_tensor_map(const TensorMapSpec& spec) const = 0;
};

}  // namespace lathe::runtime
