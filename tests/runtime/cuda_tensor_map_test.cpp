#include "runtime/cuda/tensor_map.h"

#include <array>
#include <bit>
#include <cstdint>

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"
#include "tests/support/tensor_map_spec.h"

using lathe::ErrorCode;
using lathe::runtime::cuda::encode_tensor_map;
using lathe::runtime::cuda::Status;
using lathe::testing::FakeDriver;
using lathe::tests::device_address;
using lathe::tests::matrix_spec;

namespace {

/// What the fake driver writes into a map.
using Words = std::array<std::uint64_t, 16>;

}  // namespace

TEST_CASE("a tensor map's description reaches the driver in its order") {
  const FakeDriver driver;
  const auto map = encode_tensor_map(driver.api(), matrix_spec());
  REQUIRE(map.has_value());
  CHECK(std::bit_cast<Words>(*map) == Words{9, 2, 0x7000, 4096, 1000, 8192, 8192, 64, 128, 1, 0, 3, 3, 0});
}

TEST_CASE("five dimensions keep the order of their strides") {
  const FakeDriver driver;
  const auto map = encode_tensor_map(driver.api(), {.address = device_address(0x100),
                                                    .dtype = lathe::e4m3,
                                                    .rank = 5,
                                                    .extents = {64, 3, 4, 5, 6},
                                                    .strides = {1, 64, 256, 1024, 8192},
                                                    .box = {32, 1, 1, 1, 2}});
  REQUIRE(map.has_value());
  const auto words = std::bit_cast<Words>(*map);
  CHECK(words[0] == 0);     // fp8 moves as bytes
  CHECK(words[5] == 64);    // of dimension 1
  CHECK(words[6] == 8192);  // of dimension 4
}

TEST_CASE("what breaks the rules does not reach the driver") {
  const FakeDriver driver;
  CHECK_FALSE(encode_tensor_map(driver.api(), {}).has_value());
  CHECK(driver.count("cuTensorMapEncodeTiled") == 0);
}

TEST_CASE("what the driver refuses all the same comes back by name") {
  FakeDriver driver;
  driver.fail("cuTensorMapEncodeTiled", Status::invalid_value);
  const auto map = encode_tensor_map(driver.api(), matrix_spec());
  REQUIRE_FALSE(map.has_value());
  CHECK(map.error().code == ErrorCode::invalid_argument);
  CHECK(map.error().message.find("cuTensorMapEncodeTiled") == 0);
}
