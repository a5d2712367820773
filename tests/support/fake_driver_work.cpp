#include "tests/support/fake_driver_calls.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

namespace lathe::testing {

using namespace runtime::cuda;

namespace {

Status fake_synchronize(StreamHandle) {
  FAKE_ENTER("cuStreamSynchronize");
  return Status::success;
}
Status fake_is_capturing(StreamHandle, CaptureStatus* status) {
  FAKE_ENTER("cuStreamIsCapturing");
  *status = fake.capture;
  return Status::success;
}
Status fake_exchange_mode(CaptureMode* mode) {
  FAKE_ENTER("cuThreadExchangeStreamCaptureMode");
  std::swap(*mode, fake_thread().mode);
  return Status::success;
}
Status fake_event_create(Event* event, unsigned) {
  FAKE_ENTER("cuEventCreate");
  ++fake.live_events;
  *event = fake_handle<Event>(static_cast<void*>(&fake));
  return Status::success;
}
Status fake_event_destroy(Event) {
  FAKE_ENTER("cuEventDestroy");
  --fake.live_events;
  return Status::success;
}
Status fake_event_record(Event, StreamHandle) {
  FAKE_ENTER("cuEventRecord");
  return Status::success;
}
Status fake_event_synchronize(Event) {
  FAKE_ENTER("cuEventSynchronize");
  return Status::success;
}
Status fake_event_elapsed(float* milliseconds, Event, Event) {
  FAKE_ENTER("cuEventElapsedTime");
  *milliseconds = 1.5f;
  return Status::success;
}

Status fake_memory_info(std::size_t* free, std::size_t* total) {
  FAKE_ENTER("cuMemGetInfo");
  *free = fake.free_bytes;
  *total = std::size_t{2} << 30;
  return Status::success;
}
Status fake_allocate(DevicePointer* pointer, std::size_t bytes) {
  FAKE_ENTER("cuMemAlloc");
  fake.allocation_modes.push_back(FakeDriver::capture_mode());
  if (bytes == 0) return Status::invalid_value;
  if (bytes > fake.free_bytes) return Status::out_of_memory;
  ++fake.live_allocations;
  constexpr std::size_t kAlignment = 256;
  void* memory = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  *pointer = reinterpret_cast<std::uintptr_t>(memory);
  return Status::success;
}
Status fake_free(DevicePointer pointer) {
  FAKE_ENTER("cuMemFree");
  --fake.live_allocations;
  std::free(reinterpret_cast<void*>(pointer));
  return Status::success;
}
Status fake_copy(DevicePointer to, DevicePointer from, std::size_t bytes, StreamHandle) {
  FAKE_ENTER("cuMemcpyAsync");
  std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  return Status::success;
}
Status fake_fill(DevicePointer to, unsigned char value, std::size_t bytes, StreamHandle) {
  FAKE_ENTER("cuMemsetD8Async");
  std::memset(reinterpret_cast<void*>(to), value, bytes);
  return Status::success;
}
/// Writes its arguments into the map, so that tests can read them there.
// NOLINTNEXTLINE(readability-function-size): the driver's signature
Status fake_encode(TensorMap* map, TensorMapType type, std::uint32_t rank, void* address,
                   const std::uint64_t* extents, const std::uint64_t* strides, const std::uint32_t* box,
                   const std::uint32_t* element_strides, TensorMapInterleave interleave,
                   TensorMapSwizzle swizzle, TensorMapL2 l2, TensorMapFill fill) {
  FAKE_ENTER("cuTensorMapEncodeTiled");
  const std::uint64_t words[] = {static_cast<std::uint64_t>(type),
                                 rank,
                                 reinterpret_cast<std::uintptr_t>(address),
                                 extents[0],
                                 extents[rank - 1],
                                 rank > 1 ? strides[0] : 0,
                                 rank > 1 ? strides[rank - 2] : 0,
                                 box[0],
                                 box[rank - 1],
                                 element_strides[rank - 1],
                                 static_cast<std::uint64_t>(interleave),
                                 static_cast<std::uint64_t>(swizzle),
                                 static_cast<std::uint64_t>(l2),
                                 static_cast<std::uint64_t>(fill)};
  std::copy(std::begin(words), std::end(words), map->opaque);
  return Status::success;
}

}  // namespace

void add_work_calls(FakeCalls& calls) {
  calls["cuStreamSynchronize"] = symbol(fake_synchronize);
  calls["cuStreamIsCapturing"] = symbol(fake_is_capturing);
  calls["cuThreadExchangeStreamCaptureMode"] = symbol(fake_exchange_mode);
  calls["cuEventCreate"] = symbol(fake_event_create);
  calls["cuEventDestroy"] = symbol(fake_event_destroy);
  calls["cuEventRecord"] = symbol(fake_event_record);
  calls["cuEventSynchronize"] = symbol(fake_event_synchronize);
  calls["cuEventElapsedTime"] = symbol(fake_event_elapsed);
  calls["cuMemGetInfo"] = symbol(fake_memory_info);
  calls["cuMemAlloc"] = symbol(fake_allocate);
  calls["cuMemFree"] = symbol(fake_free);
  calls["cuMemcpyAsync"] = symbol(fake_copy);
  calls["cuMemsetD8Async"] = symbol(fake_fill);
  calls["cuTensorMapEncodeTiled"] = symbol(fake_encode);
}

}  // namespace lathe::testing
