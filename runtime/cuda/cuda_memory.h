// Device memory through the driver: cuMemAlloc and stream-ordered copies.
#pragma once

#include "runtime/cuda/session.h"
#include "runtime/executor.h"

namespace lathe::runtime::cuda {

/// Thread-safe. The Session must outlive it. None of it may be used on a stream that is being captured.
class CudaMemory : public DeviceMemory {
 public:
  explicit CudaMemory(const Session& session) : session_(session) {}

  /// Errors: out_of_memory with what is free.
  Result<void*> allocate(std::size_t bytes) override;
  void release(void* pointer) noexcept override;
  Result<void> copy(void* to, const void* from, std::size_t bytes, Stream stream) override;
  Result<void> fill(void* pointer, unsigned char value, std::size_t bytes, Stream stream) override;

 private:
  const Session& session_;
};

}  // namespace lathe::runtime::cuda
