// The emulator's tensor maps, and the boxes that they describe.
#include "runtime/ptx/tensor_map.h"

#include "runtime/ptx/tensor_box.h"
#include "tests/support/catch.h"
#include "tests/support/tensor_map_spec.h"

using namespace lathe::runtime;
using lathe::tests::matrix_spec;
using ptx::TransferPiece;

namespace {

alignas(128) std::byte memory[256];

/// A row of 8 elements of 4 bytes, of a tensor of 10.
std::vector<TransferPiece> row_at(std::int32_t x) {
  return ptx::pieces_of_load({.address = memory, .dtype = lathe::f32, .rank = 1, .extents = {10}, .box = {8}},
                             {x});
}

constexpr std::size_t kZeros = TransferPiece::kZeros;
using Pieces = std::vector<TransferPiece>;

}  // namespace

TEST_CASE("a tensor map says again what it was made of") {
  const TensorMapSpec original = matrix_spec();
  const auto map = ptx::encode_tensor_map(original);
  REQUIRE(map.has_value());
  const auto spec = ptx::decode_tensor_map(map->bytes);
  REQUIRE(spec.has_value());
  CHECK(spec->address == original.address);
  CHECK(spec->dtype == lathe::bf16);
  CHECK(spec->rank == 2);
  CHECK(spec->extents == original.extents);
  CHECK(spec->strides[1] == original.strides[1]);
  CHECK(spec->box == original.box);
  CHECK(spec->swizzle == Swizzle::bytes_128);
  CHECK(spec->l2_promotion == L2Promotion::bytes_256);
}

TEST_CASE("the largest tensor map") {
  TensorMapSpec spec{.address = memory, .dtype = lathe::u8, .rank = 5};
  spec.extents.fill(1ull << 32);
  spec.strides = {1, 16, (1ull << 40) - 16, 32, 1ull << 39};
  spec.box.fill(256);
  const auto map = ptx::encode_tensor_map(spec);
  REQUIRE(map.has_value());
  const auto again = ptx::decode_tensor_map(map->bytes);
  REQUIRE(again.has_value());
  CHECK(again->extents == spec.extents);
  CHECK(again->strides == spec.strides);
  CHECK(again->box == spec.box);
}

TEST_CASE("what breaks the driver's rules is not encoded") {
  CHECK_FALSE(ptx::encode_tensor_map({}).has_value());
}

TEST_CASE("a swizzle wider than the row is not supported") {
  TensorMapSpec spec = matrix_spec();
  spec.box[0] = 32;
  const auto map = ptx::encode_tensor_map(spec);
  REQUIRE_FALSE(map.has_value());
  CHECK(map.error().code == lathe::ErrorCode::unsupported);
  CHECK(map.error().message.find("a row of 64 bytes lies in shared memory with a swizzle of 128") !=
        std::string::npos);
}

TEST_CASE("what is no tensor map, or has been changed, is not taken for one") {
  auto map = ptx::encode_tensor_map(matrix_spec());
  REQUIRE(map.has_value());
  CHECK_FALSE(ptx::decode_tensor_map(TensorMap().bytes));
  for (std::size_t i = 0; i < TensorMap::kBytes; ++i) {
    TensorMap changed = *map;
    changed.bytes[i] ^= std::byte{0x10};
    INFO("byte " << i);
    CHECK_FALSE(ptx::decode_tensor_map(changed.bytes));
  }
}

TEST_CASE("swizzles exchange the 16-byte chunks of a row") {
  for (std::size_t row = 0; row < 64; ++row) {
    for (std::size_t byte = 0; byte < 128; byte += 8) {
      const std::size_t at = byte % 16;
      CHECK(ptx::swizzled(Swizzle::none, row * 128 + byte) == row * 128 + byte);
      CHECK(ptx::swizzled(Swizzle::bytes_128, row * 128 + byte) ==
            row * 128 + (byte / 16 ^ row % 8) * 16 + at);
      if (byte < 64)
        CHECK(ptx::swizzled(Swizzle::bytes_64, row * 64 + byte) ==
              row * 64 + (byte / 16 ^ row / 2 % 4) * 16 + at);
      if (byte < 32)
        CHECK(ptx::swizzled(Swizzle::bytes_32, row * 32 + byte) ==
              row * 32 + (byte / 16 ^ row / 4 % 2) * 16 + at);
    }
  }
  CHECK(ptx::box_alignment(Swizzle::none) == 128);
  CHECK(ptx::box_alignment(Swizzle::bytes_32) == 256);
  CHECK(ptx::box_alignment(Swizzle::bytes_64) == 512);
  CHECK(ptx::box_alignment(Swizzle::bytes_128) == 1024);
}

TEST_CASE("what a box has outside of the tensor is zeros") {
  CHECK(row_at(0) == Pieces{{0, 0, 32}});
  CHECK(row_at(2) == Pieces{{8, 0, 32}});
  CHECK(row_at(3) == Pieces{{12, 0, 28}, {kZeros, 28, 4}});
  CHECK(row_at(9) == Pieces{{36, 0, 4}, {kZeros, 4, 28}});
  CHECK(row_at(10) == Pieces{{kZeros, 0, 32}});
  CHECK(row_at(INT32_MAX) == Pieces{{kZeros, 0, 32}});
  CHECK(row_at(-1) == Pieces{{kZeros, 0, 4}, {0, 4, 28}});
  CHECK(row_at(-7) == Pieces{{kZeros, 0, 28}, {0, 28, 4}});
  CHECK(row_at(-8) == Pieces{{kZeros, 0, 32}});
  CHECK(row_at(INT32_MIN) == Pieces{{kZeros, 0, 32}});
  // Wider than the tensor on both sides.
  const TensorMapSpec narrow{.address = memory, .dtype = lathe::f32, .rank = 1, .extents = {2}, .box = {8}};
  CHECK(ptx::pieces_of_load(narrow, {-3}) == Pieces{{kZeros, 0, 12}, {0, 12, 8}, {kZeros, 20, 12}});
}

TEST_CASE("a store leaves out what is outside of the tensor") {
  const TensorMapSpec spec{.address = memory,
                           .dtype = lathe::f32,
                           .rank = 2,
                           .extents = {6, 2},
                           .strides = {4, 32},
                           .box = {4, 2}};
  CHECK(ptx::pieces_of_store(spec, {4, 1}) == Pieces{{0, 48, 8}});
  CHECK(ptx::pieces_of_store(spec, {-1, -1}) == Pieces{{20, 0, 12}});
  CHECK(ptx::pieces_of_store(spec, {0, 2}).empty());
  CHECK(ptx::box_bytes(spec) == 32);
}
