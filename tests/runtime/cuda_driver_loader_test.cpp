#include "runtime/cuda/driver_loader.h"

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::runtime::cuda::bind_driver;
using lathe::runtime::cuda::driver_version_text;
using lathe::runtime::cuda::load_driver;
using lathe::testing::FakeDriver;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("driver versions are written as CUDA versions") {
  CHECK(driver_version_text(13000) == "13.0");
  CHECK(driver_version_text(12080) == "12.8");
  CHECK(driver_version_text(11080) == "11.8");
}

TEST_CASE("binding fills the whole table") {
  const FakeDriver driver;
  const auto api = bind_driver(driver.exports());
  REQUIRE(api.has_value());
  CHECK(api->init != nullptr);
  CHECK(api->launch_kernel_ex != nullptr);
  CHECK(api->memory_set_async != nullptr);
  CHECK(api->tensor_map_encode_tiled != nullptr);
  CHECK(api->kernel_get_param_info != nullptr);
}

TEST_CASE("a driver that is too old is refused with both versions") {
  FakeDriver driver;
  driver.version = 11080;
  const auto api = bind_driver(driver.exports());
  REQUIRE_FALSE(api.has_value());
  CHECK(api.error().code == ErrorCode::device_missing);
  CHECK(contains(api.error().message, "11.8"));
  CHECK(contains(api.error().message, "12.0"));
  CHECK(contains(api.error().hint, "525"));
}

TEST_CASE("a required entry point that is missing is named") {
  FakeDriver driver;
  const std::string name =
      GENERATE(as<std::string>(), "cuLibraryLoadData", "cuLaunchKernelEx", "cuMemsetD8Async");
  driver.missing_symbols = {name};
  const auto api = bind_driver(driver.exports());
  REQUIRE_FALSE(api.has_value());
  CHECK(api.error().code == ErrorCode::device_missing);
  CHECK(contains(api.error().message, name));
}

TEST_CASE("entry points of later drivers may be missing") {
  FakeDriver driver;
  driver.version = 12000;
  const auto api = bind_driver(driver.exports());
  REQUIRE(api.has_value());
  CHECK(api->kernel_get_param_info == nullptr);
}

TEST_CASE("a library that is not a driver is refused") {
  const auto api = bind_driver([](const char*) -> void* { return nullptr; });
  REQUIRE_FALSE(api.has_value());
  CHECK(api.error().code == ErrorCode::device_missing);
  CHECK(contains(api.error().message, "does not tell which driver"));
}

TEST_CASE("the toolkit's stub is recognised") {
  FakeDriver driver;
  driver.fail("cuDriverGetVersion", lathe::runtime::cuda::Status::stub_library);
  const auto api = bind_driver(driver.exports());
  REQUIRE_FALSE(api.has_value());
  CHECK(api.error().code == ErrorCode::device_missing);
  CHECK(contains(api.error().message, "stub"));
  CHECK(contains(api.error().hint, "LD_LIBRARY_PATH"));
}

TEST_CASE("no driver library: device missing, with the loader's words and a hint") {
  const auto api = load_driver("liblathe_no_such_driver.so.1");
  REQUIRE_FALSE(api.has_value());
  CHECK(api.error().code == ErrorCode::device_missing);
  CHECK(contains(api.error().message, "liblathe_no_such_driver.so.1"));
  CHECK(contains(api.error().hint, "--target cpu"));
  CHECK(contains(api.error().log, "liblathe_no_such_driver.so.1"));
}

TEST_CASE("a library without the driver's entry points is refused by its name") {
  const auto api = load_driver("libm.so.6");
  REQUIRE_FALSE(api.has_value());
  CHECK(api.error().code == ErrorCode::device_missing);
  CHECK(contains(api.error().message, "libm.so.6"));
}
