#include "runtime/tensor_map.h"

#include "tests/support/catch.h"

using lathe::ErrorCode;
using lathe::runtime::check_tensor_map;
using lathe::runtime::L2Promotion;
using lathe::runtime::span_of;
using lathe::runtime::Swizzle;
using lathe::runtime::TensorMapSpec;

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

struct Case {
  const char* says;
  void (*spoil)(TensorMapSpec&);
};

}  // namespace

TEST_CASE("each broken rule is named with the value") {
  const Case broken = GENERATE(values<Case>({
      {"rank = 0", [](TensorMapSpec& s) { s.rank = 0; }},
      {"rank = 6", [](TensorMapSpec& s) { s.rank = 6; }},
      {"address = 0x0", [](TensorMapSpec& s) { s.address = nullptr; }},
      {"address = 0x7008", [](TensorMapSpec& s) { s.address = address(0x7008); }},
      {"extents[1] = 0", [](TensorMapSpec& s) { s.extents[1] = 0; }},
      {"extents[0] = 4294967297", [](TensorMapSpec& s) { s.extents[0] = (1ull << 32) + 1; }},
      {"strides[1] = 8200", [](TensorMapSpec& s) { s.strides[1] = 8200; }},
      {"strides[1] = 1099511627776", [](TensorMapSpec& s) { s.strides[1] = 1ull << 40; }},
      {"box[0] = 0", [](TensorMapSpec& s) { s.box[0] = 0; }},
      {"box[1] = 257", [](TensorMapSpec& s) { s.box[1] = 257; }},
      {"box[0] = 4 of bf16, 8 bytes: expected a multiple of 16", [](TensorMapSpec& s) { s.box[0] = 4; }},
      {"box[0] = 72 of bf16, 144 bytes: expected at most the 128 bytes",
       [](TensorMapSpec& s) { s.box[0] = 72; }},
      {"at most the 64 bytes", [](TensorMapSpec& s) { s.swizzle = Swizzle::bytes_64; }},
      {"at most the 32 bytes", [](TensorMapSpec& s) { s.swizzle = Swizzle::bytes_32; }},
  }));
  TensorMapSpec spec = matrix();
  broken.spoil(spec);
  const auto checked = check_tensor_map(spec);
  REQUIRE_FALSE(checked.has_value());
  INFO(checked.error().message << " should say " << broken.says);
  CHECK(checked.error().code == ErrorCode::invalid_argument);
  CHECK(checked.error().message.find(broken.says) != std::string::npos);
}

TEST_CASE("the largest values that the rules allow") {
  TensorMapSpec spec = matrix();
  spec.swizzle = Swizzle::none;
  spec.extents = {1ull << 32, 1ull << 32};
  spec.strides[1] = (1ull << 40) - 16;
  spec.box = {256, 256};
  CHECK(check_tensor_map(spec).has_value());
}

TEST_CASE("the span of a swizzle") {
  CHECK(span_of(Swizzle::none) == 0);
  CHECK(span_of(Swizzle::bytes_32) == 32);
  CHECK(span_of(Swizzle::bytes_64) == 64);
  CHECK(span_of(Swizzle::bytes_128) == 128);
}
