#include "runtime/cuda/driver_loader.h"

#include <dlfcn.h>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/cuda/driver_error.h"

namespace lathe::runtime::cuda {

namespace {

Error missing(std::string message, std::string hint) {
  return {.code = ErrorCode::device_missing,
          .stage = Stage::load,
          .message = std::move(message),
          .hint = std::move(hint)};
}

/// 525 is the first driver of CUDA 12.0.
constexpr const char* kUpdateHint = "update the NVIDIA driver to 525 or later, or use --target cpu";

/// cuGetProcAddress_v2, the form with the reason of a failure as its last parameter.
using GetProcAddress = Status (*)(const char* symbol, void** function, int version, std::uint64_t flags,
                                  int* reason);

/// POSIX guarantees that dlsym's result may be called.
template <class Pointer>
Pointer as_function(void* symbol) {
  return reinterpret_cast<Pointer>(symbol);
}

/// Binds one entry point after the other and remembers the first that is missing.
class Binder {
 public:
  explicit Binder(GetProcAddress get) : get_(get) {}

  template <class Pointer>
  void require(Pointer& slot, const char* name) {
    slot = find<Pointer>(name, kRequiredDriver);
    if (slot == nullptr && missing_ == nullptr) missing_ = name;
  }

  /// Leaves nullptr where the driver is older than `since`.
  template <class Pointer>
  void want(Pointer& slot, const char* name, int since) {
    slot = find<Pointer>(name, since);
  }

  const char* missing() const { return missing_; }

 private:
  template <class Pointer>
  Pointer find(const char* name, int version) const {
    void* symbol = nullptr;
    int reason = 0;
    constexpr std::uint64_t kDefaultFlags = 0;  // the legacy null stream, as Stream documents
    if (get_(name, &symbol, version, kDefaultFlags, &reason) != Status::success) return nullptr;
    return as_function<Pointer>(symbol);
  }

  GetProcAddress get_;
  const char* missing_ = nullptr;
};

void bind_devices(Binder& binder, DriverApi& api) {
  binder.require(api.init, "cuInit");
  binder.require(api.driver_get_version, "cuDriverGetVersion");
  binder.require(api.get_error_name, "cuGetErrorName");
  binder.require(api.get_error_string, "cuGetErrorString");
  binder.require(api.device_get_count, "cuDeviceGetCount");
  binder.require(api.device_get, "cuDeviceGet");
  binder.require(api.device_get_name, "cuDeviceGetName");
  binder.require(api.device_get_attribute, "cuDeviceGetAttribute");
  binder.require(api.primary_context_retain, "cuDevicePrimaryCtxRetain");
  binder.require(api.primary_context_release, "cuDevicePrimaryCtxRelease");
  binder.require(api.context_get_current, "cuCtxGetCurrent");
  binder.require(api.context_push_current, "cuCtxPushCurrent");
  binder.require(api.context_pop_current, "cuCtxPopCurrent");
}

void bind_code(Binder& binder, DriverApi& api) {
  binder.require(api.library_load_data, "cuLibraryLoadData");
  binder.require(api.library_unload, "cuLibraryUnload");
  binder.require(api.library_get_kernel, "cuLibraryGetKernel");
  binder.require(api.kernel_get_function, "cuKernelGetFunction");
  binder.require(api.function_get_attribute, "cuFuncGetAttribute");
  binder.require(api.function_set_attribute, "cuFuncSetAttribute");
  binder.require(api.launch_kernel_ex, "cuLaunchKernelEx");
  binder.require(api.tensor_map_encode_tiled, "cuTensorMapEncodeTiled");
  binder.want(api.kernel_get_param_info, "cuKernelGetParamInfo", 12040);
}

void bind_streams_and_memory(Binder& binder, DriverApi& api) {
  binder.require(api.stream_synchronize, "cuStreamSynchronize");
  binder.require(api.stream_is_capturing, "cuStreamIsCapturing");
  binder.require(api.thread_exchange_capture_mode, "cuThreadExchangeStreamCaptureMode");
  binder.require(api.event_create, "cuEventCreate");
  binder.require(api.event_destroy, "cuEventDestroy");
  binder.require(api.event_record, "cuEventRecord");
  binder.require(api.event_synchronize, "cuEventSynchronize");
  binder.require(api.event_elapsed_time, "cuEventElapsedTime");
  binder.require(api.memory_get_info, "cuMemGetInfo");
  binder.require(api.memory_allocate, "cuMemAlloc");
  binder.require(api.memory_free, "cuMemFree");
  binder.require(api.memory_copy_async, "cuMemcpyAsync");
  binder.require(api.memory_set_async, "cuMemsetD8Async");
}

/// What cuDriverGetVersion says, as cuda.h counts. It works without a device and before cuInit.
Result<int> installed_version(const SymbolLookup& lookup) {
  using GetVersion = Status (*)(int*);
  const auto get_version = as_function<GetVersion>(lookup("cuDriverGetVersion"));
  int version = 0;
  const Status status = get_version == nullptr ? Status::not_found : get_version(&version);
  if (status == Status::success && version > 0) return version;
  if (status == Status::stub_library) {
    return missing("the library is the CUDA toolkit's stub and not a driver", std::string(hint_for(status)));
  }
  return missing("the library does not tell which driver it is",
                 "install the NVIDIA driver anew: the library found is not one");
}

}  // namespace

std::string driver_version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

Result<DriverApi> bind_driver(const SymbolLookup& lookup) {
  LATHE_TRY(const int version, installed_version(lookup));
  const auto get = as_function<GetProcAddress>(lookup("cuGetProcAddress_v2"));
  if (version < kRequiredDriver || get == nullptr) {
    return missing(fmt::format("the NVIDIA driver supports CUDA {}, and CUDA {} or later is needed",
                               driver_version_text(version), driver_version_text(kRequiredDriver)),
                   kUpdateHint);
  }
  // All of them at once, so that a driver with a hole is refused here and not in the middle of some work.
  DriverApi api{};
  Binder binder(get);
  bind_devices(binder, api);
  bind_code(binder, api);
  bind_streams_and_memory(binder, api);
  if (binder.missing() != nullptr) {
    return missing(fmt::format("the NVIDIA driver (CUDA {}) has no entry point {}",
                               driver_version_text(version), binder.missing()),
                   kUpdateHint);
  }
  return api;
}

Result<DriverApi> load_driver(const std::string& file) {
  // By its soname: libcuda.so alone is the toolkit's stub or belongs to a development package.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    Error error =
        missing(fmt::format("no NVIDIA driver: {} cannot be opened", file),
                "install the NVIDIA driver, start the container with --gpus all, or use --target cpu");
    error.log = reason == nullptr ? "" : reason;
    return error;
  }
  auto api = bind_driver([library](const char* name) { return dlsym(library, name); });
  if (!api) api.error().message = fmt::format("{}: {}", file, api.error().message);
  return api;
}

}  // namespace lathe::runtime::cuda
