#include "runtime/cuda/cuda_executor.h"

#include "runtime/cuda/driver_loader.h"
#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"
#include "tests/support/tensor_map_spec.h"

using lathe::Error;
using lathe::ErrorCode;
using lathe::Result;
using lathe::codegen::KernelBinary;
using lathe::codegen::PayloadKind;
using lathe::runtime::open_cuda_executor;
using lathe::runtime::cuda::CaptureStatus;
using lathe::runtime::cuda::Status;
using lathe::testing::FakeDriver;
using lathe::testing::tiny_cubin;

namespace {

KernelBinary binary() {
  return {.payloads = {{PayloadKind::cubin, tiny_cubin()}},
          .entries = {{"kernel", {.block = {128, 1, 1}}}},
          .log = {}};
}

struct Bench {
  FakeDriver driver;
  std::unique_ptr<lathe::runtime::Executor> executor = open_cuda_executor({}, driver.api()).value();
};

const lathe::Stream kStream(nullptr);

}  // namespace

TEST_CASE("the device is described for doctor and reports") {
  Bench bench;
  const auto& device = bench.executor->device();
  CHECK(device.target.text() == "cuda:sm_90a");
  CHECK(device.name == "NVIDIA Fake");
  CHECK(device.driver == "13.0");
  CHECK(device.processors == 132);
  CHECK(device.last_level_cache_bytes == std::size_t{50} << 20);
}

TEST_CASE("a kernel is loaded, launched and waited for through the executor") {
  Bench bench;
  const std::uint64_t args = 42;
  {
    const auto kernel = bench.executor->load(binary()).value();
    REQUIRE(bench.executor
                ->launch(*kernel, {lathe::codegen::Grid{.x = 5}}, std::as_bytes(std::span(&args, 1)), kStream)
                .has_value());
    CHECK(bench.executor->synchronize(kStream).has_value());
  }
  CHECK(bench.driver.launches.at(0).config.grid_x == 5);
  CHECK(bench.driver.live_libraries == 0);
  bench.executor.reset();
  CHECK(bench.driver.retained_contexts == 0);
}

TEST_CASE("device time is that between two events around the work") {
  Bench bench;
  int done = 0;
  const auto time = bench.executor->time_ms(kStream, [&]() -> Result<void> {
    ++done;
    CHECK(bench.driver.count("cuEventRecord") == 1);
    return {};
  });
  REQUIRE(time.has_value());
  CHECK(*time == 1.5);
  CHECK(done == 1);
  CHECK(bench.driver.count("cuEventRecord") == 2);
  CHECK(bench.driver.live_events == 0);
}

TEST_CASE("work that fails is not timed, and its events are destroyed") {
  Bench bench;
  const auto time = bench.executor->time_ms(
      kStream, []() -> Result<void> { return Error{.code = ErrorCode::cancelled, .message = "no"}; });
  REQUIRE_FALSE(time.has_value());
  CHECK(time.error().code == ErrorCode::cancelled);
  CHECK(bench.driver.live_events == 0);
}

TEST_CASE("each driver call of a timing that fails is named, and no event stays") {
  Bench bench;
  const std::string call = GENERATE(as<std::string>(), "cuEventCreate", "cuEventRecord", "cuEventSynchronize",
                                    "cuEventElapsedTime");
  bench.driver.fail(call, Status::unknown);
  const auto time = bench.executor->time_ms(kStream, []() -> Result<void> { return {}; });
  REQUIRE_FALSE(time.has_value());
  CHECK(time.error().message.find(call) == 0);
  CHECK(bench.driver.live_events == 0);
}

TEST_CASE("waiting and timing are refused during capture") {
  Bench bench;
  bench.driver.capture = CaptureStatus::active;
  bool worked = false;
  const auto time = bench.executor->time_ms(kStream, [&]() -> Result<void> {
    worked = true;
    return {};
  });
  const auto waited = bench.executor->synchronize(kStream);
  REQUIRE_FALSE(time.has_value());
  REQUIRE_FALSE(waited.has_value());
  CHECK_FALSE(worked);
  CHECK(time.error().code == ErrorCode::invalid_argument);
  CHECK(waited.error().code == ErrorCode::invalid_argument);
  CHECK(bench.driver.count("cuStreamSynchronize") == 0);
}

TEST_CASE("a kernel's failure is reported where it is waited for") {
  Bench bench;
  bench.driver.fail("cuStreamSynchronize", Status::illegal_address);
  const auto waited = bench.executor->synchronize(kStream);
  REQUIRE_FALSE(waited.has_value());
  CHECK(waited.error().code == ErrorCode::launch_failed);
  CHECK(waited.error().message.find("CUDA_ERROR_ILLEGAL_ADDRESS") != std::string::npos);
}

TEST_CASE("its memory is the device's") {
  Bench bench;
  void* pointer = bench.executor->memory().allocate(100).value();
  CHECK(bench.driver.live_allocations == 1);
  bench.executor->memory().release(pointer);
  CHECK(bench.driver.live_allocations == 0);
}

TEST_CASE("on this machine the executor opens, or says what is missing and what to do") {
  const auto executor = open_cuda_executor({});
  if (executor) {
    CHECK((*executor)->device().target.backend == lathe::Backend::cuda);
    CHECK((*executor)->device().processors > 0);
  } else {
    CHECK(executor.error().code == ErrorCode::device_missing);
    CHECK_FALSE(executor.error().message.empty());
    CHECK_FALSE(executor.error().hint.empty());
  }
}

TEST_CASE("a tensor map is the driver's") {
  Bench bench;
  CHECK(bench.executor->encode_tensor_map(lathe::tests::matrix_spec()).has_value());
  CHECK(bench.driver.count("cuTensorMapEncodeTiled") == 1);
}
