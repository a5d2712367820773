#include "runtime/ptx/integer_arithmetic.h"

#include <cstdint>
#include <limits>

#include "tests/support/catch.h"

namespace lathe::runtime::ptx::integer {
namespace {

constexpr auto kMin32 = std::numeric_limits<std::int32_t>::min();
constexpr auto kMax32 = std::numeric_limits<std::int32_t>::max();
constexpr auto kMin64 = std::numeric_limits<std::int64_t>::min();
constexpr auto kMax64 = std::numeric_limits<std::int64_t>::max();

TEST_CASE("sums and products are modulo 2^n, short ones too") {
  CHECK(add<std::int16_t>(0x7fff, 1) == -0x8000);
  CHECK(add(kMax64, std::int64_t{1}) == kMin64);
  CHECK(subtract(kMin32, 1) == kMax32);
  CHECK(multiply_low<std::uint16_t>(0xffff, 0xffff) == 1);
  CHECK(multiply_low(kMin32, -1) == kMin32);
  CHECK(negate(kMin64) == kMin64);
}

TEST_CASE("saturated sums stay within 32 bits") {
  CHECK(add_saturated(kMax32, 1) == kMax32);
  CHECK(add_saturated(kMin32, -1) == kMin32);
  CHECK(subtract_saturated(0, kMin32) == kMax32);
  CHECK(subtract_saturated(-2, kMax32) == kMin32);
  CHECK(add_saturated(5, -7) == -2);
  CHECK(multiply_high_add_saturated(kMin32, kMin32, kMax32) == kMax32);
}

TEST_CASE("the upper half of a product of 64 bits") {
  constexpr auto kAll = std::numeric_limits<std::uint64_t>::max();
  CHECK(multiply_high(kAll, kAll) == kAll - 1);
  CHECK(multiply_high(std::uint64_t{1} << 63, std::uint64_t{6}) == 3);
  CHECK(multiply_high(kMin64, kMin64) == std::int64_t{1} << 62);
  CHECK(multiply_high(kMin64, std::int64_t{-1}) == 0);
  CHECK(multiply_high(std::int64_t{-1}, std::int64_t{1}) == -1);
}

TEST_CASE("products of 24 bits see neither operand's upper byte") {
  CHECK(multiply_24_low(0xff000003U, 0xab000005U) == 15);
  CHECK(multiply_24_high(0xffffffU, 0xffffffU) == 0xfffffe00);
  CHECK(multiply_24_low(0x00ffffff, 2) == -2);  // bit 23 is the sign
  CHECK(multiply_24_high(0x00ffffff, 2) == -1);
}

TEST_CASE("division is total") {
  CHECK(divide(kMin32, -1) == kMin32);
  CHECK(remainder(kMin32, -1) == 0);
  CHECK(divide(-7, 2) == -3);
  CHECK(remainder(-7, 2) == -1);
  CHECK(divide<std::uint16_t>(7, 0) == 0xffff);
  CHECK(divide(7, 0) == -1);
  CHECK(remainder(7, 0) == -1);
}

TEST_CASE("the magnitude of the lowest value is itself") {
  CHECK(absolute(kMin32) == kMin32);
  CHECK(absolute(std::int16_t{-5}) == 5);
  CHECK(absolute_difference_add(kMin32, kMax32, 1) == 0);
}

TEST_CASE("halves do not carry into each other") {
  CHECK(on_halves<std::uint16_t, add<std::uint16_t>>(0xffffffff, 0x00010001) == 0);
  CHECK(on_halves<std::int16_t, minimum<std::int16_t>>(0x8000'0001, 0x7fff'ffff) == 0x8000'ffff);
  CHECK(on_halves<std::uint16_t, minimum<std::uint16_t>>(0x8000'0001, 0x7fff'ffff) == 0x7fff'0001);
  CHECK(on_halves<std::int16_t, maximum_relu<std::int16_t>>(0x8000'0003, 0xffff'0001) == 0x0000'0003);
}

TEST_CASE("dot products extend their elements each as its own type says") {
  CHECK(dot_4<std::uint8_t, std::uint8_t>(0xff010101, 0xff010101, 7) == 255 * 255 + 3 + 7);
  CHECK(dot_4<std::int8_t, std::uint8_t>(0xff000000, 0xff000000, 0) == static_cast<std::uint32_t>(-255));
  CHECK(dot_2<std::int16_t, std::int8_t, 0>(0xffff0002, 0x7f7f0305, 0) == static_cast<std::uint32_t>(10 - 3));
  CHECK(dot_2<std::int16_t, std::int8_t, 2>(0xffff0002, 0x03050000, 1) == 10 - 3 + 1);
}

TEST_CASE("carries come in and go out") {
  using Result = Flagged<std::uint32_t>;
  CHECK(add_with_carry(0xffffffffU, 0U, true) == Result{0, true});
  CHECK(add_with_carry(0xffffffffU, 0xffffffffU, true) == Result{0xffffffff, true});
  CHECK(add_with_carry(0xfffffffeU, 1U, false) == Result{0xffffffff, false});
  CHECK(subtract_with_borrow(0U, 0U, true) == Result{0xffffffff, true});
  CHECK(subtract_with_borrow(3U, 2U, true) == Result{0, false});
  CHECK(subtract_with_borrow(2U, 3U, false) == Result{0xffffffff, true});
  CHECK(add_with_carry(-1, 1, false) == Flagged<std::int32_t>{0, true});
}

}  // namespace
}  // namespace lathe::runtime::ptx::integer
