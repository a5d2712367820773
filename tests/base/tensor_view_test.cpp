#include <lathe/tensor_view.h>

#include <cstdint>

#include "tests/support/catch.h"

namespace {

// The layout of dlpack.h, version 1.0, as a framework would pass it.
struct DLDevice {
  std::int32_t device_type;
  std::int32_t device_id;
};
struct DLDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};

}  // namespace

TEST_CASE("a DLPack tensor becomes a view of the same memory") {
  float storage[24];
  std::int64_t shape[] = {2, 3, 4};
  std::int64_t strides[] = {12, 4, 1};
  DLTensor tensor{storage, {1, 0}, 3, {2, 32, 1}, shape, strides, 8};
  const auto view = lathe::from_dlpack(tensor).value();
  CHECK(view.data == storage + 2);
  CHECK(view.dtype == lathe::f32);
  CHECK(view.rank == 3);
  CHECK(view.shape[2] == 4);
  CHECK(view.strides[0] == 12);
  CHECK(view.elements() == 24);
  CHECK_FALSE(view.on_gpu);

  tensor.strides = nullptr;  // row-major, by the specification
  CHECK(lathe::from_dlpack(tensor).value().strides[0] == 12);
  CHECK(lathe::from_dlpack(tensor).value().strides[1] == 4);
}

TEST_CASE("every element type of Lathe has its DLPack code") {
  std::int64_t shape[] = {1};
  const auto dtype = [&](std::uint8_t code, std::uint8_t bits) {
    DLTensor tensor{nullptr, {2, 0}, 1, {code, bits, 1}, shape, nullptr, 0};
    return lathe::from_dlpack(tensor).value().dtype;
  };
  CHECK(dtype(2, 16) == lathe::f16);
  CHECK(dtype(4, 16) == lathe::bf16);
  CHECK(dtype(10, 8) == lathe::e4m3);
  CHECK(dtype(12, 8) == lathe::e5m2);
  CHECK(dtype(0, 32) == lathe::i32);
  CHECK(dtype(0, 64) == lathe::i64);
  CHECK(dtype(1, 8) == lathe::u8);
}

TEST_CASE("what Lathe cannot use is refused by name") {
  std::int64_t shape[9] = {};
  const auto message = [&](DLTensor tensor) { return lathe::from_dlpack(tensor).error().message; };
  CHECK(message({nullptr, {1, 0}, 1, {2, 64, 1}, shape, nullptr, 0}) ==
        "DLPack tensor: element type code 2, 64 bits, 1 lanes");
  CHECK(message({nullptr, {1, 0}, 1, {2, 32, 4}, shape, nullptr, 0}) ==
        "DLPack tensor: element type code 2, 32 bits, 4 lanes");
  CHECK(message({nullptr, {1, 0}, 9, {2, 32, 1}, shape, nullptr, 0}) == "DLPack tensor: rank 9");
  CHECK(message({nullptr, {10, 0}, 1, {2, 32, 1}, shape, nullptr, 0}) == "DLPack tensor: device type 10");
}
