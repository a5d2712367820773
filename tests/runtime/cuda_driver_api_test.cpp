// Our declarations against the toolkit's, where a toolkit is installed. Built only then.
#include <cuda.h>

#include <cstddef>
#include <type_traits>

#include "runtime/cuda/driver_api.h"
#include "tests/support/catch.h"

using namespace lathe::runtime::cuda;

#define SAME(ours, theirs) CHECK(static_cast<int>(ours) == static_cast<int>(theirs))

TEST_CASE("status codes are the driver's") {
  SAME(Status::success, CUDA_SUCCESS);
  SAME(Status::invalid_value, CUDA_ERROR_INVALID_VALUE);
  SAME(Status::out_of_memory, CUDA_ERROR_OUT_OF_MEMORY);
  SAME(Status::not_initialized, CUDA_ERROR_NOT_INITIALIZED);
  SAME(Status::deinitialized, CUDA_ERROR_DEINITIALIZED);
  SAME(Status::stub_library, CUDA_ERROR_STUB_LIBRARY);
  SAME(Status::device_unavailable, CUDA_ERROR_DEVICE_UNAVAILABLE);
  SAME(Status::no_device, CUDA_ERROR_NO_DEVICE);
  SAME(Status::invalid_device, CUDA_ERROR_INVALID_DEVICE);
  SAME(Status::invalid_image, CUDA_ERROR_INVALID_IMAGE);
  SAME(Status::invalid_context, CUDA_ERROR_INVALID_CONTEXT);
  SAME(Status::no_binary_for_gpu, CUDA_ERROR_NO_BINARY_FOR_GPU);
  SAME(Status::ecc_uncorrectable, CUDA_ERROR_ECC_UNCORRECTABLE);
  SAME(Status::invalid_ptx, CUDA_ERROR_INVALID_PTX);
  SAME(Status::jit_compiler_not_found, CUDA_ERROR_JIT_COMPILER_NOT_FOUND);
  SAME(Status::unsupported_ptx_version, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
  SAME(Status::jit_compilation_disabled, CUDA_ERROR_JIT_COMPILATION_DISABLED);
  SAME(Status::invalid_handle, CUDA_ERROR_INVALID_HANDLE);
  SAME(Status::not_found, CUDA_ERROR_NOT_FOUND);
  SAME(Status::illegal_address, CUDA_ERROR_ILLEGAL_ADDRESS);
  SAME(Status::launch_out_of_resources, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
  SAME(Status::launch_timeout, CUDA_ERROR_LAUNCH_TIMEOUT);
  SAME(Status::context_is_destroyed, CUDA_ERROR_CONTEXT_IS_DESTROYED);
  SAME(Status::assertion, CUDA_ERROR_ASSERT);
  SAME(Status::hardware_stack_error, CUDA_ERROR_HARDWARE_STACK_ERROR);
  SAME(Status::illegal_instruction, CUDA_ERROR_ILLEGAL_INSTRUCTION);
  SAME(Status::misaligned_address, CUDA_ERROR_MISALIGNED_ADDRESS);
  SAME(Status::invalid_address_space, CUDA_ERROR_INVALID_ADDRESS_SPACE);
  SAME(Status::invalid_pc, CUDA_ERROR_INVALID_PC);
  SAME(Status::launch_failed, CUDA_ERROR_LAUNCH_FAILED);
  SAME(Status::not_supported, CUDA_ERROR_NOT_SUPPORTED);
  SAME(Status::system_not_ready, CUDA_ERROR_SYSTEM_NOT_READY);
  SAME(Status::system_driver_mismatch, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
  SAME(Status::compat_not_supported_on_device, CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE);
  SAME(Status::stream_capture_unsupported, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  SAME(Status::stream_capture_invalidated, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  SAME(Status::stream_capture_implicit, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  SAME(Status::invalid_cluster_size, CUDA_ERROR_INVALID_CLUSTER_SIZE);
  SAME(Status::unknown, CUDA_ERROR_UNKNOWN);
}

TEST_CASE("attributes and options are the driver's") {
  SAME(DeviceAttribute::multiprocessor_count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  SAME(DeviceAttribute::l2_cache_size, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  SAME(DeviceAttribute::compute_capability_major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  SAME(DeviceAttribute::compute_capability_minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  SAME(DeviceAttribute::max_shared_memory_per_block_optin,
       CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  SAME(FunctionAttribute::shared_size_bytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
  SAME(FunctionAttribute::max_dynamic_shared_size_bytes, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  SAME(FunctionAttribute::non_portable_cluster_size_allowed,
       CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
  SAME(JitOption::info_log_buffer, CU_JIT_INFO_LOG_BUFFER);
  SAME(JitOption::info_log_buffer_size_bytes, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES);
  SAME(JitOption::error_log_buffer, CU_JIT_ERROR_LOG_BUFFER);
  SAME(JitOption::error_log_buffer_size_bytes, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  SAME(CaptureStatus::none, CU_STREAM_CAPTURE_STATUS_NONE);
  SAME(CaptureStatus::active, CU_STREAM_CAPTURE_STATUS_ACTIVE);
  SAME(CaptureStatus::invalidated, CU_STREAM_CAPTURE_STATUS_INVALIDATED);
  SAME(CaptureMode::global, CU_STREAM_CAPTURE_MODE_GLOBAL);
  SAME(CaptureMode::this_thread, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  SAME(CaptureMode::relaxed, CU_STREAM_CAPTURE_MODE_RELAXED);
  SAME(LaunchAttributeId::cluster_dimension, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
  SAME(LaunchAttributeId::programmatic_stream_serialization,
       CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
}

TEST_CASE("tensor map enumerations are the driver's") {
  SAME(TensorMapType::u8, CU_TENSOR_MAP_DATA_TYPE_UINT8);
  SAME(TensorMapType::u16, CU_TENSOR_MAP_DATA_TYPE_UINT16);
  SAME(TensorMapType::u32, CU_TENSOR_MAP_DATA_TYPE_UINT32);
  SAME(TensorMapType::i32, CU_TENSOR_MAP_DATA_TYPE_INT32);
  SAME(TensorMapType::u64, CU_TENSOR_MAP_DATA_TYPE_UINT64);
  SAME(TensorMapType::i64, CU_TENSOR_MAP_DATA_TYPE_INT64);
  SAME(TensorMapType::f16, CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
  SAME(TensorMapType::f32, CU_TENSOR_MAP_DATA_TYPE_FLOAT32);
  SAME(TensorMapType::f64, CU_TENSOR_MAP_DATA_TYPE_FLOAT64);
  SAME(TensorMapType::bf16, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
  SAME(TensorMapInterleave::none, CU_TENSOR_MAP_INTERLEAVE_NONE);
  SAME(TensorMapSwizzle::none, CU_TENSOR_MAP_SWIZZLE_NONE);
  SAME(TensorMapSwizzle::bytes_32, CU_TENSOR_MAP_SWIZZLE_32B);
  SAME(TensorMapSwizzle::bytes_64, CU_TENSOR_MAP_SWIZZLE_64B);
  SAME(TensorMapSwizzle::bytes_128, CU_TENSOR_MAP_SWIZZLE_128B);
  SAME(TensorMapL2::none, CU_TENSOR_MAP_L2_PROMOTION_NONE);
  SAME(TensorMapL2::bytes_64, CU_TENSOR_MAP_L2_PROMOTION_L2_64B);
  SAME(TensorMapL2::bytes_128, CU_TENSOR_MAP_L2_PROMOTION_L2_128B);
  SAME(TensorMapL2::bytes_256, CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
  SAME(TensorMapFill::zeros, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

TEST_CASE("structures have the driver's layout") {
  CHECK(std::is_same_v<DevicePointer, CUdeviceptr>);
  CHECK(sizeof(LaunchAttribute) == sizeof(CUlaunchAttribute));
  CHECK(offsetof(LaunchAttribute, value) == offsetof(CUlaunchAttribute, value));
  CHECK(sizeof(LaunchAttributeValue) == sizeof(CUlaunchAttributeValue));
  CHECK(offsetof(LaunchAttributeValue, cluster.y) == offsetof(CUlaunchAttributeValue, clusterDim.y));
  CHECK(sizeof(LaunchConfig) == sizeof(CUlaunchConfig));
  CHECK(offsetof(LaunchConfig, block_x) == offsetof(CUlaunchConfig, blockDimX));
  CHECK(offsetof(LaunchConfig, shared_bytes) == offsetof(CUlaunchConfig, sharedMemBytes));
  CHECK(offsetof(LaunchConfig, stream) == offsetof(CUlaunchConfig, hStream));
  CHECK(offsetof(LaunchConfig, attributes) == offsetof(CUlaunchConfig, attrs));
  CHECK(offsetof(LaunchConfig, attribute_count) == offsetof(CUlaunchConfig, numAttrs));
  CHECK(sizeof(TensorMap) == sizeof(CUtensorMap));
  CHECK(alignof(TensorMap) >= alignof(CUtensorMap));
}
