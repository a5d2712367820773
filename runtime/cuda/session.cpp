#include "runtime/cuda/session.h"

#include <array>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/cuda/driver_error.h"

namespace lathe::runtime::cuda {

namespace {

/// While opening, every failure means that there is no device to use.
Result<void> check(const DriverApi& api, Status status, std::string_view call) {
  if (status == Status::success) return {};
  return driver_error(api, status, {.call = call, .stage = Stage::load, .code = ErrorCode::device_missing});
}

Result<int> attribute_of(const DriverApi& api, Device device, DeviceAttribute attribute) {
  int value = 0;
  LATHE_CHECK(check(api, api.device_get_attribute(&value, attribute, device), "cuDeviceGetAttribute"));
  return value;
}

/// Initialises the driver, which is allowed any number of times, and finds the handle of an ordinal.
Result<Device> find_device(const DriverApi& api, int ordinal) {
  LATHE_CHECK(check(api, api.init(0), "cuInit"));
  int count = 0;
  LATHE_CHECK(check(api, api.device_get_count(&count), "cuDeviceGetCount"));
  if (ordinal < 0 || ordinal >= count) {
    return Error{.code = ErrorCode::device_missing,
                 .stage = Stage::load,
                 .message = count == 0 ? std::string("no CUDA device is visible")
                                       : fmt::format("CUDA device {}: expected 0 to {}", ordinal, count - 1),
                 .hint = count == 0 ? std::string(hint_for(Status::no_device))
                                    : "CUDA_VISIBLE_DEVICES chooses and renumbers the devices"};
  }
  Device device = 0;
  LATHE_CHECK(check(api, api.device_get(&device, ordinal), "cuDeviceGet"));
  return device;
}

Result<DeviceFacts> facts_of(const DriverApi& api, Device device, int ordinal) {
  DeviceFacts facts{.handle = device, .ordinal = ordinal};
  std::array<char, 256> name{};
  LATHE_CHECK(check(api, api.device_get_name(name.data(), static_cast<int>(name.size()) - 1, device),
                    "cuDeviceGetName"));
  facts.name = name.data();
  LATHE_TRY(facts.major, attribute_of(api, device, DeviceAttribute::compute_capability_major));
  LATHE_TRY(facts.minor, attribute_of(api, device, DeviceAttribute::compute_capability_minor));
  LATHE_TRY(facts.multiprocessors, attribute_of(api, device, DeviceAttribute::multiprocessor_count));
  LATHE_TRY(const int l2, attribute_of(api, device, DeviceAttribute::l2_cache_size));
  LATHE_TRY(const int shared, attribute_of(api, device, DeviceAttribute::max_shared_memory_per_block_optin));
  facts.l2_bytes = static_cast<std::size_t>(l2);
  facts.shared_bytes_per_block = static_cast<std::size_t>(shared);
  LATHE_CHECK(check(api, api.driver_get_version(&facts.driver), "cuDriverGetVersion"));
  return facts;
}

}  // namespace

Target target_of(const DeviceFacts& device) {
  // wgmma and setmaxnreg exist in sm_90a code only. Later devices are served by code that runs on the whole
  // family, until an op has kernels of their own.
  const bool specific = device.major == 9 && device.minor == 0;
  return {.backend = Backend::cuda,
          .arch = fmt::format("sm_{}{}{}", device.major, device.minor, specific ? "a" : "")};
}

Result<std::unique_ptr<const Session>> Session::open(const DriverApi& api, int ordinal) {
  LATHE_TRY(const Device device, find_device(api, ordinal));
  LATHE_TRY(DeviceFacts facts, facts_of(api, device, ordinal));
  // Last, so that nothing above has to release it when it fails.
  Context context = nullptr;
  LATHE_CHECK(check(api, api.primary_context_retain(&context, device), "cuDevicePrimaryCtxRetain"));
  return std::make_unique<const Session>(api, std::move(facts), context);
}

Session::Session(const DriverApi& api, DeviceFacts device, Context context)
    : api_(api), device_(std::move(device)), context_(context) {}

Session::~Session() {
  // At process exit the driver may be gone before us; then there is nothing left to release.
  api_.primary_context_release(device_.handle);
}

}  // namespace lathe::runtime::cuda
