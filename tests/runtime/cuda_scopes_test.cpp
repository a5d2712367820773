#include "runtime/cuda/scopes.h"

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::runtime::cuda::CaptureMode;
using lathe::runtime::cuda::Context;
using lathe::runtime::cuda::ContextScope;
using lathe::runtime::cuda::RelaxedCaptureScope;
using lathe::runtime::cuda::Status;
using lathe::testing::FakeDriver;

namespace {

/// A context of the caller's own.
Context foreign_context() {
  static int place = 0;
  return static_cast<Context>(static_cast<void*>(&place));
}

}  // namespace

TEST_CASE("a context scope leaves the caller's context as it was") {
  const FakeDriver driver;
  const auto api = driver.api();
  FakeDriver::set_current_context(foreign_context());
  {
    const ContextScope scope(api, FakeDriver::primary_context());
    CHECK(scope.status() == Status::success);
    CHECK(FakeDriver::current_context() == FakeDriver::primary_context());
  }
  CHECK(FakeDriver::current_context() == foreign_context());
}

TEST_CASE("a context that is current already is neither pushed nor popped") {
  const FakeDriver driver;
  const auto api = driver.api();
  FakeDriver::set_current_context(FakeDriver::primary_context());
  {
    const ContextScope scope(api, FakeDriver::primary_context());
  }
  CHECK(driver.count("cuCtxGetCurrent") == 1);
  CHECK(driver.count("cuCtxPushCurrent") == 0);
  CHECK(driver.count("cuCtxPopCurrent") == 0);
}

TEST_CASE("a context that cannot be pushed is not popped") {
  FakeDriver driver;
  const auto api = driver.api();
  driver.fail("cuCtxPushCurrent", Status::context_is_destroyed);
  {
    const ContextScope scope(api, FakeDriver::primary_context());
    CHECK(scope.status() == Status::context_is_destroyed);
  }
  CHECK(driver.count("cuCtxPopCurrent") == 0);
}

TEST_CASE("a relaxed capture scope gives the thread its mode back") {
  const FakeDriver driver;
  const auto api = driver.api();
  {
    const RelaxedCaptureScope scope(api);
    CHECK(FakeDriver::capture_mode() == CaptureMode::relaxed);
    {
      const RelaxedCaptureScope inner(api);
      CHECK(FakeDriver::capture_mode() == CaptureMode::relaxed);
    }
    CHECK(FakeDriver::capture_mode() == CaptureMode::relaxed);
  }
  CHECK(FakeDriver::capture_mode() == CaptureMode::global);
}

TEST_CASE("a capture mode that cannot be changed is not changed back") {
  FakeDriver driver;
  const auto api = driver.api();
  driver.fail("cuThreadExchangeStreamCaptureMode", Status::deinitialized);
  {
    const RelaxedCaptureScope scope(api);
  }
  CHECK(driver.count("cuThreadExchangeStreamCaptureMode") == 1);
  CHECK(FakeDriver::capture_mode() == CaptureMode::global);
}
