// DriverApi: exactly the entry points of the CUDA driver that Lathe calls, as a table of function pointers.
//
// The types are declared here and not taken from cuda.h, so that no toolkit is needed to build and tests put
// a fake behind the table. Values and layouts are the driver's binary interface; a test compares them with
// cuda.h where there is one. Immutable once bound, so safe to share between threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lathe::runtime::cuda {

/// CUresult: those that Lathe tells apart. The driver may return others.
enum class Status : int {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  not_initialized = 3,
  deinitialized = 4,
  stub_library = 34,
  device_unavailable = 46,
  no_device = 100,
  invalid_device = 101,
  invalid_image = 200,
  invalid_context = 201,
  no_binary_for_gpu = 209,
  ecc_uncorrectable = 214,
  invalid_ptx = 218,
  jit_compiler_not_found = 221,
  unsupported_ptx_version = 222,
  jit_compilation_disabled = 223,
  invalid_handle = 400,
  not_found = 500,
  illegal_address = 700,
  launch_out_of_resources = 701,
  launch_timeout = 702,
  context_is_destroyed = 709,
  assertion = 710,
  hardware_stack_error = 714,
  illegal_instruction = 715,
  misaligned_address = 716,
  invalid_address_space = 717,
  invalid_pc = 718,
  launch_failed = 719,
  not_supported = 801,
  system_not_ready = 802,
  system_driver_mismatch = 803,
  compat_not_supported_on_device = 804,
  stream_capture_unsupported = 900,
  stream_capture_invalidated = 901,
  stream_capture_implicit = 906,
  invalid_cluster_size = 912,
  unknown = 999,
};

using Device = int;                         // CUdevice
using DevicePointer = unsigned long long;   // CUdeviceptr
using Context = struct ContextObject*;      // CUcontext
using StreamHandle = struct StreamObject*;  // CUstream
using Event = struct EventObject*;          // CUevent
using Library = struct LibraryObject*;      // CUlibrary
using KernelHandle = struct KernelObject*;  // CUkernel
using Function = struct FunctionObject*;    // CUfunction

/// CUdevice_attribute.
enum class DeviceAttribute : int {
  multiprocessor_count = 16,
  l2_cache_size = 38,
  compute_capability_major = 75,
  compute_capability_minor = 76,
  max_shared_memory_per_block_optin = 97,
};

/// CUfunction_attribute. The first two are read, the others set.
enum class FunctionAttribute : int {
  max_threads_per_block = 0,
  shared_size_bytes = 1,
  max_dynamic_shared_size_bytes = 8,
  non_portable_cluster_size_allowed = 14,
};

/// CUjit_option: where the driver's compiler writes its log, and how much it may.
enum class JitOption : int {
  info_log_buffer = 3,
  info_log_buffer_size_bytes = 4,
  error_log_buffer = 5,
  error_log_buffer_size_bytes = 6,
};

/// CUstreamCaptureStatus: of a stream.
enum class CaptureStatus : int { none = 0, active = 1, invalidated = 2 };
/// CUstreamCaptureMode: what else a thread may do while streams are captured.
enum class CaptureMode : int { global = 0, this_thread = 1, relaxed = 2 };

/// CUlaunchAttributeID.
enum class LaunchAttributeId : int { cluster_dimension = 4, programmatic_stream_serialization = 6 };

/// CUlaunchAttributeValue, with the members that Lathe sets.
union LaunchAttributeValue {
  char pad[64];
  struct {
    unsigned x, y, z;
  } cluster;
  int programmatic_stream_serialization;
};

/// CUlaunchAttribute: one property of a launch.
struct LaunchAttribute {
  LaunchAttributeId id;
  char pad[4];
  LaunchAttributeValue value;
};

/// CUlaunchConfig.
struct LaunchConfig {
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  StreamHandle stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};

/// CUtensorMap: opaque to all but the driver and the hardware.
struct alignas(128) TensorMap {
  std::uint64_t opaque[16];
};

/// CUtensorMapDataType.
enum class TensorMapType : int {
  u8 = 0,
  u16 = 1,
  u32 = 2,
  i32 = 3,
  u64 = 4,
  i64 = 5,
  f16 = 6,
  f32 = 7,
  f64 = 8,
  bf16 = 9
};
/// CUtensorMapInterleave, ...Swizzle, ...L2promotion and ...FloatOOBfill.
enum class TensorMapInterleave : int { none = 0 };
enum class TensorMapSwizzle : int { none = 0, bytes_32 = 1, bytes_64 = 2, bytes_128 = 3 };
enum class TensorMapL2 : int { none = 0, bytes_64 = 1, bytes_128 = 2, bytes_256 = 3 };
enum class TensorMapFill : int { zeros = 0 };

/// Each member carries the name of its entry point. All but the last group are there in every driver that
/// bind_driver accepts.
struct DriverApi {
  // What is installed.
  Status (*init)(unsigned flags);                                // cuInit
  Status (*driver_get_version)(int* version);                    // cuDriverGetVersion
  Status (*get_error_name)(Status status, const char** name);    // cuGetErrorName
  Status (*get_error_string)(Status status, const char** text);  // cuGetErrorString

  // Devices and contexts. The primary context is the one that the CUDA runtime uses; it is counted.
  Status (*device_get_count)(int* count);                          // cuDeviceGetCount
  Status (*device_get)(Device* device, int ordinal);               // cuDeviceGet
  Status (*device_get_name)(char* name, int size, Device device);  // cuDeviceGetName
  Status (*device_get_attribute)(int* value, DeviceAttribute attribute,
                                 Device device);                      // cuDeviceGetAttribute
  Status (*primary_context_retain)(Context* context, Device device);  // cuDevicePrimaryCtxRetain
  Status (*primary_context_release)(Device device);                   // cuDevicePrimaryCtxRelease
  Status (*context_get_current)(Context* context);                    // cuCtxGetCurrent
  Status (*context_push_current)(Context context);                    // cuCtxPushCurrent
  Status (*context_pop_current)(Context* context);                    // cuCtxPopCurrent

  // Code. Libraries belong to no context; their functions do. Images are cubins, or PTX as a C string. The
  // second list of library_load_data holds library options, of which Lathe needs none.
  Status (*library_load_data)(Library* library, const void* code, JitOption* jit_options, void** jit_values,
                              unsigned jit_count, int* options, void** values,
                              unsigned count);  // cuLibraryLoadData
  Status (*library_unload)(Library library);    // cuLibraryUnload
  Status (*library_get_kernel)(KernelHandle* kernel, Library library,
                               const char* name);                          // cuLibraryGetKernel
  Status (*kernel_get_function)(Function* function, KernelHandle kernel);  // cuKernelGetFunction
  Status (*function_get_attribute)(int* value, FunctionAttribute attribute, Function function);
  Status (*function_set_attribute)(Function function, FunctionAttribute attribute, int value);
  Status (*launch_kernel_ex)(const LaunchConfig* config, Function function, void** parameters,
                             void** extra);  // cuLaunchKernelEx

  // Streams and events. The null stream is the legacy one, which waits for all blocking streams.
  Status (*stream_synchronize)(StreamHandle stream);                          // cuStreamSynchronize
  Status (*stream_is_capturing)(StreamHandle stream, CaptureStatus* status);  // cuStreamIsCapturing
  Status (*thread_exchange_capture_mode)(CaptureMode* mode);  // cuThreadExchangeStreamCaptureMode
  Status (*event_create)(Event* event, unsigned flags);       // cuEventCreate
  Status (*event_destroy)(Event event);                       // cuEventDestroy
  Status (*event_record)(Event event, StreamHandle stream);   // cuEventRecord
  Status (*event_synchronize)(Event event);                   // cuEventSynchronize
  Status (*event_elapsed_time)(float* milliseconds, Event start, Event end);  // cuEventElapsedTime

  // Memory. Copies find out by address which side is host and which is device.
  Status (*memory_get_info)(std::size_t* free, std::size_t* total);      // cuMemGetInfo
  Status (*memory_allocate)(DevicePointer* pointer, std::size_t bytes);  // cuMemAlloc
  Status (*memory_free)(DevicePointer pointer);                          // cuMemFree
  Status (*memory_copy_async)(DevicePointer to, DevicePointer from, std::size_t bytes,
                              StreamHandle stream);  // cuMemcpyAsync
  Status (*memory_set_async)(DevicePointer to, unsigned char value, std::size_t bytes,
                             StreamHandle stream);  // cuMemsetD8Async

  Status (*tensor_map_encode_tiled)(TensorMap* map, TensorMapType type, std::uint32_t rank, void* address,
                                    const std::uint64_t* extents, const std::uint64_t* strides,
                                    const std::uint32_t* box, const std::uint32_t* element_strides,
                                    TensorMapInterleave interleave, TensorMapSwizzle swizzle, TensorMapL2 l2,
                                    TensorMapFill fill);  // cuTensorMapEncodeTiled

  // Null where the driver is older than 12.4.
  Status (*kernel_get_param_info)(KernelHandle kernel, std::size_t index, std::size_t* offset,
                                  std::size_t* size);  // cuKernelGetParamInfo
};

}  // namespace lathe::runtime::cuda
