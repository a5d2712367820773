#include "tests/support/fake_driver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace lathe::testing {

namespace {

using namespace runtime::cuda;

/// What the thread's calls share, as with the real driver.
struct ThreadState {
  std::vector<Context> contexts;
  CaptureMode mode = CaptureMode::global;
};
ThreadState& thread_state() {
  static thread_local ThreadState state;
  return state;
}

FakeDriver*& slot() {
  static FakeDriver* driver = nullptr;
  return driver;
}

template <class Handle>
Handle handle(void* object) {
  return static_cast<Handle>(object);
}

Status code_status(const FakeDriver& fake, bool is_cubin) {
  return is_cubin ? fake.cubin_status : fake.ptx_status;
}

/// Writes the log where the options say, within the size they give.
void write_log(const std::string& text, const JitOption* options, void** values, unsigned count) {
  for (unsigned i = 0; i + 1 < count; ++i) {
    if (options[i] != JitOption::error_log_buffer) continue;
    const auto size = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(values[i + 1]));
    std::memcpy(values[i], text.data(), std::min(size, text.size()));
  }
}

#define FAKE_ENTER(name)                                \
  FakeDriver& fake = FakeDriver::instance();            \
  const std::lock_guard<std::mutex> lock(fake.mutex()); \
  if (const Status fate = fake.enter(name); fate != Status::success) return fate

Status fake_init(unsigned) {
  FAKE_ENTER("cuInit");
  return Status::success;
}
Status fake_version(int* version) {
  FAKE_ENTER("cuDriverGetVersion");
  *version = fake.version;
  return Status::success;
}
Status fake_error_name(Status status, const char** name) {
  static const std::map<Status, const char*> names{
      {Status::out_of_memory, "CUDA_ERROR_OUT_OF_MEMORY"},
      {Status::illegal_address, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {Status::no_device, "CUDA_ERROR_NO_DEVICE"},
      {Status::invalid_image, "CUDA_ERROR_INVALID_IMAGE"},
      {Status::unsupported_ptx_version, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"}};
  const auto found = names.find(status);
  if (found == names.end()) return Status::invalid_value;
  *name = found->second;
  return Status::success;
}
Status fake_error_string(Status status, const char** text) {
  if (status != Status::illegal_address) return Status::invalid_value;
  *text = "an illegal memory access was encountered";
  return Status::success;
}
Status fake_device_count(int* count) {
  FAKE_ENTER("cuDeviceGetCount");
  *count = fake.device_count;
  return Status::success;
}
Status fake_device(Device* device, int ordinal) {
  FAKE_ENTER("cuDeviceGet");
  *device = 100 + ordinal;  // ordinals and handles are different things
  return Status::success;
}
Status fake_device_name(char* name, int size, Device) {
  FAKE_ENTER("cuDeviceGetName");
  std::strncpy(name, "NVIDIA Fake", static_cast<std::size_t>(size));
  return Status::success;
}
Status fake_device_attribute(int* value, DeviceAttribute attribute, Device) {
  FAKE_ENTER("cuDeviceGetAttribute");
  *value = fake.device_attributes.at(attribute);
  return Status::success;
}
Status fake_retain(Context* context, Device) {
  FAKE_ENTER("cuDevicePrimaryCtxRetain");
  ++fake.retained_contexts;
  *context = FakeDriver::primary_context();
  return Status::success;
}
Status fake_release(Device) {
  FAKE_ENTER("cuDevicePrimaryCtxRelease");
  --fake.retained_contexts;
  return Status::success;
}
Status fake_current(Context* context) {
  FAKE_ENTER("cuCtxGetCurrent");
  *context = FakeDriver::current_context();
  return Status::success;
}
Status fake_push(Context context) {
  FAKE_ENTER("cuCtxPushCurrent");
  thread_state().contexts.push_back(context);
  return Status::success;
}
Status fake_pop(Context* context) {
  FAKE_ENTER("cuCtxPopCurrent");
  *context = FakeDriver::current_context();
  thread_state().contexts.pop_back();
  return Status::success;
}

Status fake_load(Library* library, const void* code, JitOption* options, void** values, unsigned count, int*,
                 void**, unsigned) {
  FAKE_ENTER("cuLibraryLoadData");
  const bool is_cubin = std::memcmp(code, "\x7f", 1) == 0;
  fake.loaded.emplace_back(is_cubin ? "cubin" : static_cast<const char*>(code));
  const Status status = fake.is_lazy ? Status::success : code_status(fake, is_cubin);
  if (code_status(fake, is_cubin) != Status::success) write_log(fake.jit_log, options, values, count);
  if (status != Status::success) return status;
  ++fake.live_libraries;
  *library = handle<Library>(static_cast<void*>(&fake.code.emplace_back(FakeDriver::Code{is_cubin})));
  return Status::success;
}
Status fake_unload(Library) {
  FAKE_ENTER("cuLibraryUnload");
  --fake.live_libraries;
  return Status::success;
}
Status fake_kernel(KernelHandle* kernel, Library library, const char* name) {
  FAKE_ENTER("cuLibraryGetKernel");
  if (!fake.entries.contains(name)) return Status::not_found;
  *kernel = handle<KernelHandle>(static_cast<void*>(library));
  return Status::success;
}
Status fake_function(Function* function, KernelHandle kernel) {
  FAKE_ENTER("cuKernelGetFunction");
  const auto* code = static_cast<const FakeDriver::Code*>(static_cast<void*>(kernel));
  if (fake.is_lazy && code_status(fake, code->is_cubin) != Status::success) {
    return code_status(fake, code->is_cubin);
  }
  *function = handle<Function>(static_cast<void*>(kernel));
  return Status::success;
}
Status fake_param_info(KernelHandle, std::size_t index, std::size_t* offset, std::size_t* size) {
  FAKE_ENTER("cuKernelGetParamInfo");
  if (index != 0) return Status::invalid_value;
  *offset = 0;
  *size = fake.parameter_bytes;
  return Status::success;
}
Status fake_get_attribute(int* value, FunctionAttribute attribute, Function) {
  FAKE_ENTER("cuFuncGetAttribute");
  if (attribute != FunctionAttribute::shared_size_bytes) return Status::invalid_value;
  *value = fake.static_shared_bytes;
  return Status::success;
}
Status fake_set_attribute(Function, FunctionAttribute attribute, int value) {
  FAKE_ENTER("cuFuncSetAttribute");
  fake.function_attributes.push_back({attribute, value});
  return Status::success;
}
Status fake_launch(const LaunchConfig* config, Function, void** parameters, void**) {
  FAKE_ENTER("cuLaunchKernelEx");
  const auto* args = static_cast<const std::byte*>(parameters[0]);
  fake.launches.push_back({*config,
                           {config->attributes, config->attributes + config->attribute_count},
                           {args, args + fake.parameter_bytes},
                           FakeDriver::current_context()});
  return Status::success;
}

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
  std::swap(*mode, thread_state().mode);
  return Status::success;
}
Status fake_event_create(Event* event, unsigned) {
  FAKE_ENTER("cuEventCreate");
  ++fake.live_events;
  *event = handle<Event>(static_cast<void*>(&fake));
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

#undef FAKE_ENTER

template <class F>
void* symbol(F* function) {
  return reinterpret_cast<void*>(function);
}

const std::map<std::string, void*>& symbols() {
  static const std::map<std::string, void*> table{
      {"cuInit", symbol(fake_init)},
      {"cuDriverGetVersion", symbol(fake_version)},
      {"cuGetErrorName", symbol(fake_error_name)},
      {"cuGetErrorString", symbol(fake_error_string)},
      {"cuDeviceGetCount", symbol(fake_device_count)},
      {"cuDeviceGet", symbol(fake_device)},
      {"cuDeviceGetName", symbol(fake_device_name)},
      {"cuDeviceGetAttribute", symbol(fake_device_attribute)},
      {"cuDevicePrimaryCtxRetain", symbol(fake_retain)},
      {"cuDevicePrimaryCtxRelease", symbol(fake_release)},
      {"cuCtxGetCurrent", symbol(fake_current)},
      {"cuCtxPushCurrent", symbol(fake_push)},
      {"cuCtxPopCurrent", symbol(fake_pop)},
      {"cuLibraryLoadData", symbol(fake_load)},
      {"cuLibraryUnload", symbol(fake_unload)},
      {"cuLibraryGetKernel", symbol(fake_kernel)},
      {"cuKernelGetFunction", symbol(fake_function)},
      {"cuKernelGetParamInfo", symbol(fake_param_info)},
      {"cuFuncGetAttribute", symbol(fake_get_attribute)},
      {"cuFuncSetAttribute", symbol(fake_set_attribute)},
      {"cuLaunchKernelEx", symbol(fake_launch)},
      {"cuStreamSynchronize", symbol(fake_synchronize)},
      {"cuStreamIsCapturing", symbol(fake_is_capturing)},
      {"cuThreadExchangeStreamCaptureMode", symbol(fake_exchange_mode)},
      {"cuEventCreate", symbol(fake_event_create)},
      {"cuEventDestroy", symbol(fake_event_destroy)},
      {"cuEventRecord", symbol(fake_event_record)},
      {"cuEventSynchronize", symbol(fake_event_synchronize)},
      {"cuEventElapsedTime", symbol(fake_event_elapsed)},
      {"cuMemGetInfo", symbol(fake_memory_info)},
      {"cuMemAlloc", symbol(fake_allocate)},
      {"cuMemFree", symbol(fake_free)},
      {"cuMemcpyAsync", symbol(fake_copy)},
      {"cuMemsetD8Async", symbol(fake_fill)},
      {"cuTensorMapEncodeTiled", symbol(fake_encode)},
  };
  return table;
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
  thread_state() = {};
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
  const auto& contexts = thread_state().contexts;
  return contexts.empty() ? nullptr : contexts.back();
}

void FakeDriver::set_current_context(Context context) {
  thread_state().contexts = {context};
}

CaptureMode FakeDriver::capture_mode() {
  return thread_state().mode;
}

Context FakeDriver::primary_context() {
  static int place = 0;
  return handle<Context>(static_cast<void*>(&place));
}

}  // namespace lathe::testing
