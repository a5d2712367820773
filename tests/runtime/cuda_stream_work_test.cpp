#include "runtime/cuda/stream_work.h"

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::runtime::cuda::CaptureStatus;
using lathe::runtime::cuda::check_call;
using lathe::runtime::cuda::check_not_capturing;
using lathe::runtime::cuda::Status;
using lathe::runtime::cuda::wait_for;
using lathe::testing::FakeDriver;

TEST_CASE("a call that succeeded is no error") {
  const FakeDriver driver;
  CHECK(check_call(driver.api(), Status::success, "cuInit").has_value());
  CHECK(check_call(driver.api(), Status::launch_failed, "cuInit").error().code == ErrorCode::launch_failed);
}

TEST_CASE("a capturing stream is recognised, valid capture or not") {
  FakeDriver driver;
  CHECK(check_not_capturing(driver.api(), nullptr, "copy").has_value());
  driver.capture = GENERATE(CaptureStatus::active, CaptureStatus::invalidated);
  const auto checked = check_not_capturing(driver.api(), nullptr, "copy");
  REQUIRE_FALSE(checked.has_value());
  CHECK(checked.error().code == ErrorCode::invalid_argument);
  CHECK(checked.error().message == "copy: the stream is being captured");
  CHECK_FALSE(checked.error().hint.empty());
}

TEST_CASE("a stream that cannot be asked is an error of its own") {
  FakeDriver driver;
  driver.fail("cuStreamIsCapturing", Status::stream_capture_implicit);
  const auto checked = check_not_capturing(driver.api(), nullptr, "copy");
  REQUIRE_FALSE(checked.has_value());
  CHECK(checked.error().code == ErrorCode::launch_failed);
  CHECK(checked.error().hint.find("capture") != std::string::npos);
}

TEST_CASE("waiting reports what became of the work") {
  FakeDriver driver;
  CHECK(wait_for(driver.api(), nullptr).has_value());
  driver.fail("cuStreamSynchronize", Status::illegal_address);
  const auto waited = wait_for(driver.api(), nullptr);
  REQUIRE_FALSE(waited.has_value());
  CHECK(waited.error().code == ErrorCode::launch_failed);
  CHECK(waited.error().message.find("CUDA_ERROR_ILLEGAL_ADDRESS") != std::string::npos);
}
