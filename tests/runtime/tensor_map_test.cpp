#include "runtime/tensor_map.h"

#include "tests/support/catch.h"
#include "tests/support/tensor_map_spec.h"

using lathe::ErrorCode;
using lathe::runtime::check_tensor_map;
using lathe::runtime::span_of;
using lathe::runtime::Swizzle;
using lathe::runtime::TensorMapSpec;
using lathe::tests::device_address;
using lathe::tests::matrix_spec;

namespace {

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
      {"address = 0x7008", [](TensorMapSpec& s) { s.address = device_address(0x7008); }},
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
  TensorMapSpec spec = matrix_spec();
  broken.spoil(spec);
  const auto checked = check_tensor_map(spec);
  REQUIRE_FALSE(checked.has_value());
  INFO(checked.error().message << " should say " << broken.says);
  CHECK(checked.error().code == ErrorCode::invalid_argument);
  CHECK(checked.error().message.find(broken.says) != std::string::npos);
}

TEST_CASE("the largest values that the rules allow") {
  TensorMapSpec spec = matrix_spec();
  spec.swizzle = Swizzle::none;
  spec.extents = {1ull << 32, 1ull << 32};
  spec.strides[1] = (1ull << 40) - 16;
  spec.box = {256, 256};
  CHECK(check_tensor_map(spec).has_value());
}

TEST_CASE("one dimension needs no stride") {
  CHECK(check_tensor_map(
            {.address = device_address(0x10), .dtype = lathe::f32, .rank = 1, .extents = {1}, .box = {4}})
            .has_value());
}

TEST_CASE("the span of a swizzle") {
  CHECK(span_of(Swizzle::none) == 0);
  CHECK(span_of(Swizzle::bytes_32) == 32);
  CHECK(span_of(Swizzle::bytes_64) == 64);
  CHECK(span_of(Swizzle::bytes_128) == 128);
}
