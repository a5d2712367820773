#include "runtime/cuda/driver_error.h"

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::Stage;
using lathe::runtime::cuda::driver_error;
using lathe::runtime::cuda::hint_for;
using lathe::runtime::cuda::Status;
using lathe::testing::FakeDriver;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("a driver error has call, name, number, words and hint") {
  const FakeDriver driver;
  const auto error = driver_error(driver.api(), Status::illegal_address, {.call = "cuLaunchKernelEx"});
  CHECK(error.code == ErrorCode::launch_failed);
  CHECK(error.stage == Stage::launch);
  CHECK(error.message ==
        "cuLaunchKernelEx: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered");
  CHECK(contains(error.hint, "compute-sanitizer"));
  CHECK(contains(error.hint, "--target emulate"));
}

TEST_CASE("running out of memory is told apart whatever the call") {
  const FakeDriver driver;
  const auto error =
      driver_error(driver.api(), Status::out_of_memory,
                   {.call = "cuLibraryLoadData", .stage = Stage::load, .code = ErrorCode::load_failed});
  CHECK(error.code == ErrorCode::out_of_memory);
  CHECK(error.stage == Stage::load);
}

TEST_CASE("a load that fails for what happened before does not blame the binary") {
  const FakeDriver driver;
  const auto code_of = [&](Status status) {
    return driver_error(driver.api(), status,
                        {.call = "cuLibraryLoadData", .stage = Stage::load, .code = ErrorCode::load_failed})
        .code;
  };
  CHECK(code_of(Status::illegal_address) == ErrorCode::launch_failed);
  CHECK(code_of(Status::context_is_destroyed) == ErrorCode::launch_failed);
  CHECK(code_of(Status::invalid_image) == ErrorCode::load_failed);
}

TEST_CASE("a code that the driver cannot name keeps its number") {
  const FakeDriver driver;
  const auto error = driver_error(driver.api(), static_cast<Status>(4242), {.call = "cuInit"});
  CHECK(contains(error.message, "4242"));
  CHECK(error.hint.empty());
}

TEST_CASE("each failure that a user can mend says how") {
  struct Case {
    Status status;
    std::string_view says;
  };
  const Case expected = GENERATE(values<Case>({
      {Status::out_of_memory, "free device memory"},
      {Status::not_initialized, "fork"},
      {Status::deinitialized, "new Runtime"},
      {Status::invalid_context, "new Runtime"},
      {Status::context_is_destroyed, "new Runtime"},
      {Status::stub_library, "LD_LIBRARY_PATH"},
      {Status::device_unavailable, "exclusively"},
      {Status::no_device, "nvidia-smi"},
      {Status::invalid_device, "CUDA_VISIBLE_DEVICES"},
      {Status::invalid_image, "lathe cache verify"},
      {Status::no_binary_for_gpu, "another architecture"},
      {Status::ecc_uncorrectable, "memory fault"},
      {Status::invalid_ptx, "log"},
      {Status::unsupported_ptx_version, "NVRTC is newer than the driver"},
      {Status::jit_compiler_not_found, "libnvidia-ptxjitcompiler"},
      {Status::jit_compilation_disabled, "CUDA_DISABLE_PTX_JIT"},
      {Status::not_found, "entry point"},
      {Status::illegal_address, "compute-sanitizer"},
      {Status::launch_out_of_resources, "registers or shared memory"},
      {Status::launch_timeout, "watchdog"},
      {Status::assertion, "compute-sanitizer"},
      {Status::hardware_stack_error, "compute-sanitizer"},
      {Status::illegal_instruction, "compute-sanitizer"},
      {Status::misaligned_address, "compute-sanitizer"},
      {Status::invalid_address_space, "compute-sanitizer"},
      {Status::invalid_pc, "compute-sanitizer"},
      {Status::launch_failed, "compute-sanitizer"},
      {Status::system_not_ready, "fabric"},
      {Status::system_driver_mismatch, "reboot"},
      {Status::compat_not_supported_on_device, "compatibility"},
      {Status::stream_capture_unsupported, "capture"},
      {Status::stream_capture_invalidated, "capture"},
      {Status::stream_capture_implicit, "capture"},
      {Status::invalid_cluster_size, "clusters"},
      {Status::unknown, "Xid"},
  }));
  INFO("status " << static_cast<int>(expected.status) << ": " << hint_for(expected.status));
  CHECK(contains(hint_for(expected.status), expected.says));
}
