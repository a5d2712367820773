#include "runtime/cuda/driver_error.h"

#include <fmt/format.h>

namespace lathe::runtime::cuda {

namespace {

// Hints that several codes share.
constexpr std::string_view kKernelFault =
    "a kernel queued earlier failed and this process cannot use the device any more; run the spec with "
    "--target emulate, or the program under compute-sanitizer, to find the access";
constexpr std::string_view kNoGpu =
    "check nvidia-smi and CUDA_VISIBLE_DEVICES, start the container with --gpus all, or use --target cpu";
constexpr std::string_view kCapture =
    "during stream capture only launches are allowed: load kernels, copy and synchronize before or after it";
constexpr std::string_view kReopen = "the device was reset or the process is ending; open a new Runtime";
constexpr std::string_view kDamaged = "the cached binary is damaged; run `lathe cache verify`";

}  // namespace

std::string_view hint_for(Status status) {
  switch (status) {
    case Status::out_of_memory:
      return "free device memory or use smaller inputs; nvidia-smi shows which processes hold memory";
    case Status::not_initialized:
      return "CUDA does not survive fork(): open the Runtime in the child process";
    case Status::deinitialized:
    case Status::context_is_destroyed:
    case Status::invalid_context:
      return kReopen;
    case Status::stub_library:
      return "the linker's stub of libcuda.so was found first; take its directory out of LD_LIBRARY_PATH";
    case Status::device_unavailable:
      return "another process holds the device exclusively; nvidia-smi shows which";
    case Status::no_device:
    case Status::invalid_device:
      return kNoGpu;
    case Status::invalid_image:
      return kDamaged;
    case Status::no_binary_for_gpu:
      return "the binary is for another architecture; compile for the target that `lathe doctor` names";
    case Status::invalid_ptx:
      return "the driver's compiler rejected the PTX; its log follows";
    case Status::unsupported_ptx_version:
      return "NVRTC is newer than the driver; update the driver or use an NVRTC of the driver's CUDA version";
    case Status::jit_compiler_not_found:
      return "libnvidia-ptxjitcompiler.so is missing; install it, or compile for the device's architecture";
    case Status::jit_compilation_disabled:
      return "CUDA_DISABLE_PTX_JIT is set; unset it, or compile for the device's architecture";
    case Status::not_found:
      return "the binary has no such entry point; it is not the one that was compiled for this spec";
    case Status::illegal_address:
    case Status::hardware_stack_error:
    case Status::illegal_instruction:
    case Status::misaligned_address:
    case Status::invalid_address_space:
    case Status::invalid_pc:
    case Status::assertion:
    case Status::launch_failed:
      return kKernelFault;
    case Status::ecc_uncorrectable:
      return "the device has a memory fault; reset it or use another one";
    case Status::launch_out_of_resources:
      return "the block needs more registers or shared memory than the device has; use a smaller block";
    case Status::launch_timeout:
      return "a display's watchdog stopped the kernel; use a device without a display";
    case Status::invalid_cluster_size:
      return "the device cannot place clusters of this size with this much shared memory";
    case Status::system_not_ready:
      return "the system is starting up, or the fabric manager does not run (nvidia-fabricmanager)";
    case Status::system_driver_mismatch:
      return "kernel module and libcuda have different versions; reboot after an update of the driver";
    case Status::compat_not_supported_on_device:
      return "the CUDA compatibility package does not serve this device; take it out of LD_LIBRARY_PATH";
    case Status::stream_capture_unsupported:
    case Status::stream_capture_invalidated:
    case Status::stream_capture_implicit:
      return kCapture;
    case Status::unknown:
      return "check the system log for Xid messages and that the modules nvidia and nvidia_uvm are loaded";
    default:
      return {};
  }
}

namespace {

/// What happened to the device or an earlier kernel is not the fault of the call that was told.
ErrorCode code_for(Status status, ErrorCode of_call) {
  if (status == Status::out_of_memory) return ErrorCode::out_of_memory;
  const std::string_view hint = hint_for(status);
  return hint == kKernelFault || hint == kReopen ? ErrorCode::launch_failed : of_call;
}

}  // namespace

Error driver_error(const DriverApi& api, Status status, const FailedCall& failed) {
  const char* name = nullptr;
  const char* text = nullptr;
  // Both fail on a code that is newer than the driver's table; the number then has to do.
  if (api.get_error_name(status, &name) != Status::success || name == nullptr) name = "unknown error";
  if (api.get_error_string(status, &text) != Status::success || text == nullptr) text = "no description";
  return {.code = code_for(status, failed.code),
          .stage = failed.stage,
          .message = fmt::format("{}: {} ({}): {}", failed.call, name, static_cast<int>(status), text),
          .hint = std::string(hint_for(status))};
}

}  // namespace lathe::runtime::cuda
