#include "tests/support/fake_driver_calls.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lathe::testing {

using namespace runtime::cuda;

namespace {

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
  fake_thread().contexts.push_back(context);
  return Status::success;
}
Status fake_pop(Context* context) {
  FAKE_ENTER("cuCtxPopCurrent");
  *context = FakeDriver::current_context();
  fake_thread().contexts.pop_back();
  return Status::success;
}

// NOLINTNEXTLINE(readability-function-size): the driver's signature
Status fake_load(Library* library, const void* code, JitOption* options, void** values, unsigned count, int*,
                 void**, unsigned) {
  FAKE_ENTER("cuLibraryLoadData");
  const bool is_cubin = std::memcmp(code, "\x7f", 1) == 0;
  fake.loaded.emplace_back(is_cubin ? "cubin" : static_cast<const char*>(code));
  if (count > 0) ++fake.log_buffers_given;
  const Status status = fake.is_lazy ? Status::success : code_status(fake, is_cubin);
  if (code_status(fake, is_cubin) != Status::success) write_log(fake.jit_log, options, values, count);
  if (status != Status::success) return status;
  ++fake.live_libraries;
  *library = fake_handle<Library>(static_cast<void*>(&fake.code.emplace_back(FakeDriver::Code{is_cubin})));
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
  *kernel = fake_handle<KernelHandle>(static_cast<void*>(library));
  return Status::success;
}
Status fake_function(Function* function, KernelHandle kernel) {
  FAKE_ENTER("cuKernelGetFunction");
  const auto* code = static_cast<const FakeDriver::Code*>(static_cast<void*>(kernel));
  if (fake.is_lazy && code_status(fake, code->is_cubin) != Status::success) {
    return code_status(fake, code->is_cubin);
  }
  *function = fake_handle<Function>(static_cast<void*>(kernel));
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

}  // namespace

void add_code_calls(FakeCalls& calls) {
  calls["cuInit"] = symbol(fake_init);
  calls["cuDriverGetVersion"] = symbol(fake_version);
  calls["cuGetErrorName"] = symbol(fake_error_name);
  calls["cuGetErrorString"] = symbol(fake_error_string);
  calls["cuDeviceGetCount"] = symbol(fake_device_count);
  calls["cuDeviceGet"] = symbol(fake_device);
  calls["cuDeviceGetName"] = symbol(fake_device_name);
  calls["cuDeviceGetAttribute"] = symbol(fake_device_attribute);
  calls["cuDevicePrimaryCtxRetain"] = symbol(fake_retain);
  calls["cuDevicePrimaryCtxRelease"] = symbol(fake_release);
  calls["cuCtxGetCurrent"] = symbol(fake_current);
  calls["cuCtxPushCurrent"] = symbol(fake_push);
  calls["cuCtxPopCurrent"] = symbol(fake_pop);
  calls["cuLibraryLoadData"] = symbol(fake_load);
  calls["cuLibraryUnload"] = symbol(fake_unload);
  calls["cuLibraryGetKernel"] = symbol(fake_kernel);
  calls["cuKernelGetFunction"] = symbol(fake_function);
  calls["cuKernelGetParamInfo"] = symbol(fake_param_info);
  calls["cuFuncGetAttribute"] = symbol(fake_get_attribute);
  calls["cuFuncSetAttribute"] = symbol(fake_set_attribute);
  calls["cuLaunchKernelEx"] = symbol(fake_launch);
}

}  // namespace lathe::testing
