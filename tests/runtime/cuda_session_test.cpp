#include "runtime/cuda/session.h"

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::runtime::cuda::DeviceAttribute;
using lathe::runtime::cuda::Session;
using lathe::runtime::cuda::Status;
using lathe::runtime::cuda::target_of;
using lathe::testing::FakeDriver;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string target_text(int major, int minor) {
  return target_of({.major = major, .minor = minor}).text();
}

}  // namespace

TEST_CASE("only 9.0 is served by architecture-specific code") {
  CHECK(target_text(8, 0) == "cuda:sm_80");
  CHECK(target_text(8, 9) == "cuda:sm_89");
  CHECK(target_text(9, 0) == "cuda:sm_90a");
  CHECK(target_text(10, 0) == "cuda:sm_100");
  CHECK(target_text(12, 1) == "cuda:sm_121");
}

TEST_CASE("a session knows its device and holds its primary context") {
  FakeDriver driver;
  driver.device_count = 2;
  {
    const auto session = Session::open(driver.api(), 1);
    REQUIRE(session.has_value());
    const auto& device = (*session)->device();
    CHECK(device.name == "NVIDIA Fake");
    CHECK(device.ordinal == 1);
    CHECK(device.handle == 101);
    CHECK(device.multiprocessors == 132);
    CHECK(device.l2_bytes == std::size_t{50} << 20);
    CHECK(device.shared_bytes_per_block == std::size_t{227} << 10);
    CHECK(device.driver == 13000);
    CHECK((*session)->context() == FakeDriver::primary_context());
    CHECK(driver.retained_contexts == 1);
    CHECK(FakeDriver::current_context() == nullptr);
  }
  CHECK(driver.retained_contexts == 0);
}

TEST_CASE("a machine without a GPU: device missing, with what to check") {
  FakeDriver driver;
  SECTION("cuInit finds none") {
    driver.fail("cuInit", Status::no_device);
  }
  SECTION("none is visible") {
    driver.device_count = 0;
  }
  const auto session = Session::open(driver.api(), 0);
  REQUIRE_FALSE(session.has_value());
  CHECK(session.error().code == ErrorCode::device_missing);
  CHECK(contains(session.error().hint, "nvidia-smi"));
  CHECK(driver.retained_contexts == 0);
}

TEST_CASE("an ordinal that does not exist names those that do") {
  FakeDriver driver;
  driver.device_count = 2;
  const int ordinal = GENERATE(2, -1);
  const auto session = Session::open(driver.api(), ordinal);
  REQUIRE_FALSE(session.has_value());
  CHECK(session.error().code == ErrorCode::device_missing);
  CHECK(contains(session.error().message, std::to_string(ordinal)));
  CHECK(contains(session.error().message, "0 to 1"));
  CHECK(contains(session.error().hint, "CUDA_VISIBLE_DEVICES"));
}

TEST_CASE("whichever call fails while opening, it is named and nothing stays retained") {
  FakeDriver driver;
  const std::string call = GENERATE(as<std::string>(), "cuInit", "cuDeviceGetCount", "cuDeviceGet",
                                    "cuDeviceGetName", "cuDeviceGetAttribute", "cuDevicePrimaryCtxRetain");
  driver.fail(call, Status::unknown);
  const auto session = Session::open(driver.api(), 0);
  REQUIRE_FALSE(session.has_value());
  CHECK(session.error().code == ErrorCode::device_missing);
  CHECK(contains(session.error().message, call));
  CHECK(driver.retained_contexts == 0);
}
