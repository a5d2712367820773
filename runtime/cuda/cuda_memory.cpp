#include "runtime/cuda/cuda_memory.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/cuda/driver_error.h"
#include "runtime/cuda/scopes.h"
#include "runtime/cuda/stream_work.h"

namespace lathe::runtime::cuda {

namespace {

/// With unified addressing, which every device that Lathe serves has, host pointers are addresses like any
/// other, and the driver finds out where they lead.
DevicePointer address_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

StreamHandle handle_of(Stream stream) {
  return static_cast<StreamHandle>(stream.handle);
}

/// "3.5 GiB", "12 bytes".
std::string size_text(std::size_t bytes) {
  constexpr double kMebibyte = 1 << 20;
  if (bytes < (1u << 20)) return fmt::format("{} bytes", bytes);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / kMebibyte);
}

}  // namespace

// Plain allocations and no pool: tools and tests allocate here, engines bring their own memory.
Result<void*> CudaMemory::allocate(std::size_t bytes) {
  const DriverApi& api = session_.api();
  const ContextScope current(api, session_.context());
  LATHE_CHECK(check_call(api, current.status(), "cuCtxPushCurrent"));
  const RelaxedCaptureScope relaxed(api);
  DevicePointer pointer = 0;
  const Status status = api.memory_allocate(&pointer, std::max<std::size_t>(bytes, 1));
  if (status == Status::success) return reinterpret_cast<void*>(static_cast<std::uintptr_t>(pointer));

  // What is free tells a size that can never fit from memory that others hold.
  Error error = driver_error(api, status, {.call = "cuMemAlloc"});
  std::size_t free = 0;
  std::size_t total = 0;
  error.message = fmt::format("{} on {}: {}", size_text(bytes), session_.device().name, error.message);
  if (api.memory_get_info(&free, &total) == Status::success) {
    error.message += fmt::format("; {} of {} are free", size_text(free), size_text(total));
  }
  return error;
}

void CudaMemory::release(void* pointer) noexcept {
  if (pointer == nullptr) return;
  const DriverApi& api = session_.api();
  const ContextScope current(api, session_.context());
  const RelaxedCaptureScope relaxed(api);
  api.memory_free(address_of(pointer));  // fails only when the context is lost, and its memory with it
}

Result<void> CudaMemory::copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (bytes == 0) return {};
  const DriverApi& api = session_.api();
  const ContextScope current(api, session_.context());
  LATHE_CHECK(check_call(api, current.status(), "cuCtxPushCurrent"));
  LATHE_CHECK(check_not_capturing(api, handle_of(stream), "copy"));
  LATHE_CHECK(check_call(api,
                         api.memory_copy_async(address_of(to), address_of(from), bytes, handle_of(stream)),
                         "cuMemcpyAsync"));
  // Also for copies on the device: `from` may be freed or changed as soon as this returns.
  return wait_for(api, handle_of(stream));
}

Result<void> CudaMemory::fill(void* pointer, unsigned char value, std::size_t bytes, Stream stream) {
  if (bytes == 0) return {};
  const DriverApi& api = session_.api();
  const ContextScope current(api, session_.context());
  LATHE_CHECK(check_call(api, current.status(), "cuCtxPushCurrent"));
  return check_call(api, api.memory_set_async(address_of(pointer), value, bytes, handle_of(stream)),
                    "cuMemsetD8Async");
}

}  // namespace lathe::runtime::cuda
