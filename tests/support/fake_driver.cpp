#include "tests/support/fake_driver.h"

#include <cstring>

#include "tests/support/fake_driver_calls.h"

namespace lathe::testing {

using namespace runtime::cuda;

namespace {

FakeDriver*& slot() {
  static FakeDriver* driver = nullptr;
  return driver;
}

const FakeCalls& symbols() {
  static const FakeCalls calls = [] {
    FakeCalls made;
    add_code_calls(made);
    add_work_calls(made);
    return made;
  }();
  return calls;
}

Status fake_get_proc_address(const char* name, void** function, int version, std::uint64_t, int* reason) {
  const FakeDriver& fake = FakeDriver::instance();
  const auto found = symbols().find(name);
  *reason = 0;
  if (version > fake.version || found == symbols().end() || fake.missing_symbols.contains(name)) {
    *function = nullptr;
    *reason = 1;
    return Status::not_found;
  }
  *function = found->second;
  return Status::success;
}

}  // namespace

FakeThread& fake_thread() {
  static thread_local FakeThread thread;
  return thread;
}

codegen::Bytes tiny_cubin() {
  codegen::Bytes bytes(64, std::byte{0});
  const unsigned char start[] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0x41};
  std::memcpy(bytes.data(), start, sizeof start);
  bytes[18] = std::byte{190};  // machine: NVIDIA CUDA
  return bytes;
}

FakeDriver::FakeDriver()
    : device_attributes{{DeviceAttribute::compute_capability_major, 9},
                        {DeviceAttribute::compute_capability_minor, 0},
                        {DeviceAttribute::multiprocessor_count, 132},
                        {DeviceAttribute::l2_cache_size, 50 << 20},
                        {DeviceAttribute::max_shared_memory_per_block_optin, 227 << 10}} {
  slot() = this;
  fake_thread() = {};
}

FakeDriver::~FakeDriver() {
  slot() = nullptr;
}

FakeDriver& FakeDriver::instance() {
  return *slot();
}

DriverApi FakeDriver::api() const {
  return bind_driver(exports()).value();
}

SymbolLookup FakeDriver::exports() const {
  return [this](const char* name) -> void* {
    if (missing_symbols.contains(name)) return nullptr;
    if (std::strcmp(name, "cuGetProcAddress_v2") == 0) return symbol(fake_get_proc_address);
    const auto found = symbols().find(name);
    return found == symbols().end() ? nullptr : found->second;
  };
}

void FakeDriver::fail(const std::string& call, Status status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  failures_[call] = status;
}

int FakeDriver::count(const std::string& call) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = counts_.find(call);
  return found == counts_.end() ? 0 : found->second;
}

Status FakeDriver::enter(const char* call) {
  ++counts_[call];
  const auto failure = failures_.find(call);
  return failure == failures_.end() ? Status::success : failure->second;
}

Context FakeDriver::current_context() {
  const auto& contexts = fake_thread().contexts;
  return contexts.empty() ? nullptr : contexts.back();
}

void FakeDriver::set_current_context(Context context) {
  fake_thread().contexts = {context};
}

CaptureMode FakeDriver::capture_mode() {
  return fake_thread().mode;
}

Context FakeDriver::primary_context() {
  static int place = 0;
  return fake_handle<Context>(static_cast<void*>(&place));
}

}  // namespace lathe::testing
