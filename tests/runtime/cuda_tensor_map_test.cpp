#include "runtime/cuda/tensor_map.h"

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::runtime::L2Promotion;
using lathe::runtime::Swizzle;
using lathe::runtime::TensorMapSpec;
using lathe::runtime::cuda::encode_tensor_map;
using lathe::runtime::cuda::Status;
using lathe::testing::FakeDriver;

namespace {

const void* address(std::uintptr_t value) {
  return reinterpret_cast<const void*>(value);
}

/// [1000, 4096] of bf16 in boxes of 128 x 64.
TensorMapSpec matrix() {
  return {.address = address(0x7000),
          .dtype = lathe::bf16,
          .rank = 2,
          .extents = {4096, 1000},
          .strides = {0, 8192},
          .box = {64, 128},
          .swizzle = Swizzle::bytes_128,
          .l2_promotion = L2Promotion::bytes_256};
}

}  // namespace

TEST_CASE("a tensor map's description reaches the driver in its order") {
  const FakeDriver driver;
  const auto map = encode_tensor_map(driver.api(), matrix());
  REQUIRE(map.has_value());
  const std::uint64_t expected[] = {9, 2, 0x7000, 4096, 1000, 8192, 8192, 64, 128, 1, 0, 3, 3, 0};
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    INFO("word " << i);
    CHECK(map->opaque[i] == expected[i]);
  }
}

TEST_CASE("five dimensions keep the order of their strides") {
  const FakeDriver driver;
  const auto map = encode_tensor_map(driver.api(), {.address = address(0x100),
                                                    .dtype = lathe::e4m3,
                                                    .rank = 5,
                                                    .extents = {64, 3, 4, 5, 6},
                                                    .strides = {1, 64, 256, 1024, 8192},
                                                    .box = {32, 1, 1, 1, 2}});
  REQUIRE(map.has_value());
  CHECK(map->opaque[0] == 0);     // fp8 moves as bytes
  CHECK(map->opaque[5] == 64);    // of dimension 1
  CHECK(map->opaque[6] == 8192);  // of dimension 4
}

TEST_CASE("one dimension needs no stride") {
  const FakeDriver driver;
  const auto map = encode_tensor_map(
      driver.api(), {.address = address(0x10), .dtype = lathe::f32, .rank = 1, .extents = {1}, .box = {4}});
  CHECK(map.has_value());
}

TEST_CASE("a broken rule does not reach the driver") {
  const FakeDriver driver;
  TensorMapSpec spec = matrix();
  spec.strides[1] = 8200;
  const auto map = encode_tensor_map(driver.api(), spec);
  REQUIRE_FALSE(map.has_value());
  CHECK(map.error().message.find("strides[1] = 8200") != std::string::npos);
  CHECK(driver.count("cuTensorMapEncodeTiled") == 0);
}

TEST_CASE("what the driver refuses all the same comes back by name") {
  FakeDriver driver;
  driver.fail("cuTensorMapEncodeTiled", Status::invalid_value);
  const auto map = encode_tensor_map(driver.api(), matrix());
  REQUIRE_FALSE(map.has_value());
  CHECK(map.error().code == ErrorCode::invalid_argument);
  CHECK(map.error().message.find("cuTensorMapEncodeTiled") == 0);
}
