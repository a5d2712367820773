// The entry points of the FakeDriver: what stands behind the product's DriverApi in tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/cuda/driver_api.h"
#include "tests/support/fake_driver.h"

namespace lathe::testing {

/// The driver's names and our functions.
using FakeCalls = std::map<std::string, void*>;

void add_code_calls(FakeCalls& calls);  ///< devices, contexts, libraries, launches
void add_work_calls(FakeCalls& calls);  ///< streams, events, memory, tensor maps

/// What a thread's calls share, as with the real driver.
struct FakeThread {
  std::vector<runtime::cuda::Context> contexts;
  runtime::cuda::CaptureMode mode = runtime::cuda::CaptureMode::global;
};
FakeThread& fake_thread();

/// Handles are pointers to incomplete types; the fake's point to its own objects.
template <class Handle>
Handle fake_handle(void* object) {
  return static_cast<Handle>(object);
}

template <class F>
void* symbol(F* function) {
  return reinterpret_cast<void*>(function);
}

/// How every entry point begins: counts the call, and fails if it is told to. The lock lasts until it
/// returns.
#define FAKE_ENTER(name)                                \
  FakeDriver& fake = FakeDriver::instance();            \
  const std::lock_guard<std::mutex> lock(fake.mutex()); \
  if (const runtime::cuda::Status fate = fake.enter(name); fate != Status::success) return fate

}  // namespace lathe::testing
