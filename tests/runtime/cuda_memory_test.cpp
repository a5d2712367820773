#include "runtime/cuda/cuda_memory.h"

#include <array>
#include <cstdint>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::runtime::cuda::CaptureMode;
using lathe::runtime::cuda::CaptureStatus;
using lathe::runtime::cuda::CudaMemory;
using lathe::runtime::cuda::Session;
using lathe::runtime::cuda::Status;
using lathe::testing::FakeDriver;

namespace {

struct Bench {
  FakeDriver driver;
  std::unique_ptr<const Session> session = Session::open(driver.api(), 0).value();
  CudaMemory memory{*session};
};

}  // namespace

TEST_CASE("bytes go to the device and back") {
  Bench bench;
  void* device = bench.memory.allocate(64).value();
  const std::array<char, 6> sent{'l', 'a', 't', 'h', 'e', '\0'};
  std::array<char, 8> received{};
  REQUIRE(bench.memory.fill(device, 0x5a, 64, {}).has_value());
  REQUIRE(bench.memory.copy(device, sent.data(), sent.size(), {}).has_value());
  REQUIRE(bench.memory.copy(received.data(), device, received.size(), {}).has_value());
  CHECK(std::string(received.data()) == "lathe");
  CHECK(received[7] == 0x5a);
  CHECK(bench.driver.count("cuStreamSynchronize") == 2);  // copies are waited for, fills are not
  bench.memory.release(device);
  CHECK(bench.driver.live_allocations == 0);
  CHECK(FakeDriver::current_context() == nullptr);
}

TEST_CASE("nothing is asked of the driver for no bytes, but a pointer to none is valid") {
  Bench bench;
  void* empty = bench.memory.allocate(0).value();
  CHECK(empty != nullptr);
  CHECK(bench.memory.copy(empty, nullptr, 0, {}).has_value());
  CHECK(bench.memory.fill(empty, 0, 0, {}).has_value());
  CHECK(bench.driver.count("cuMemcpyAsync") == 0);
  CHECK(bench.driver.count("cuMemsetD8Async") == 0);
  bench.memory.release(empty);
  bench.memory.release(nullptr);
  CHECK(bench.driver.count("cuMemFree") == 1);
}

TEST_CASE("out of memory says how much was wanted and how much there is") {
  Bench bench;
  bench.driver.free_bytes = 256u << 20;
  const auto pointer = bench.memory.allocate(std::size_t{3} << 30);
  REQUIRE_FALSE(pointer.has_value());
  CHECK(pointer.error().code == ErrorCode::out_of_memory);
  CHECK(pointer.error().message ==
        "3072.0 MiB on NVIDIA Fake: cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2): no description; 256.0 MiB of "
        "2048.0 MiB are free");
  CHECK_FALSE(pointer.error().hint.empty());
}

TEST_CASE("allocating does not spoil a capture of another thread") {
  Bench bench;
  bench.memory.release(bench.memory.allocate(16).value());
  CHECK(bench.driver.allocation_modes == std::vector<CaptureMode>{CaptureMode::relaxed});
  CHECK(FakeDriver::capture_mode() == CaptureMode::global);
}

TEST_CASE("a copy is refused on a stream that is being captured") {
  Bench bench;
  bench.driver.capture = CaptureStatus::active;
  char to = 0;
  const char from = 1;
  const auto copied = bench.memory.copy(&to, &from, 1, {});
  REQUIRE_FALSE(copied.has_value());
  CHECK(copied.error().code == ErrorCode::invalid_argument);
  CHECK(copied.error().message.find("captured") != std::string::npos);
  CHECK(bench.driver.count("cuMemcpyAsync") == 0);
}

TEST_CASE("failures of the driver come back by name") {
  Bench bench;
  char byte = 0;
  bench.driver.fail("cuMemcpyAsync", Status::invalid_value);
  bench.driver.fail("cuMemsetD8Async", Status::invalid_value);
  CHECK(bench.memory.copy(&byte, &byte, 1, {}).error().message.find("cuMemcpyAsync") == 0);
  CHECK(bench.memory.fill(&byte, 0, 1, {}).error().message.find("cuMemsetD8Async") == 0);
  bench.driver.fail("cuCtxPushCurrent", Status::context_is_destroyed);
  CHECK(bench.memory.allocate(1).error().code == ErrorCode::launch_failed);
}
