#include "runtime/ptx/bit_arithmetic.h"

#include <array>
#include <cstdint>

#include "tests/support/catch.h"

namespace lathe::runtime::ptx::bitwise {
namespace {

TEST_CASE("a table of three operands") {
  constexpr std::uint32_t kA = 0xf0f0f0f0;
  constexpr std::uint32_t kB = 0xcccccccc;
  constexpr std::uint32_t kC = 0xaaaaaaaa;
  for (std::uint32_t table = 0; table < 256; ++table) {
    CHECK(look_up_3(kA, kB, kC, table) == table * 0x01010101);
  }
  CHECK(look_up_3_and(kA, kB, kC, 0x80, true) == Flagged<std::uint32_t>{0x80808080, true});
  CHECK(look_up_3_and(kA, kB, kC, 0, true) == Flagged<std::uint32_t>{0, false});
  CHECK(look_up_3_or(kA, kB, kC, 0, false) == Flagged<std::uint32_t>{0, false});
  CHECK(look_up_3_or(kA, kB, kC, 0, true) == Flagged<std::uint32_t>{0, true});
}

TEST_CASE("shifts by the width and more leave nothing, or signs") {
  CHECK(shift_left<std::uint16_t>(0xffff, 15) == 0x8000);
  CHECK(shift_left<std::uint16_t>(0xffff, 16) == 0);
  CHECK(shift_left(~std::uint64_t{0}, 64) == 0);
  CHECK(shift_left(1U, 0xffffffff) == 0);
  CHECK(shift_right<std::int16_t>(-0x8000, 16) == -1);
  CHECK(shift_right<std::int16_t>(0x7fff, 16) == 0);
  CHECK(shift_right(std::int64_t{-5}, 1) == -3);
  CHECK(shift_right(0x80000000U, 32) == 0);
}

TEST_CASE("funnel shifts clamp or wrap") {
  CHECK(funnel_left<Mode::clamp>(0x89abcdef, 0x01234567, 8) == 0x23456789);
  CHECK(funnel_left<Mode::clamp>(0x89abcdef, 0x01234567, 99) == 0x89abcdef);
  CHECK(funnel_left<Mode::wrap>(0x89abcdef, 0x01234567, 32) == 0x01234567);
  CHECK(funnel_right<Mode::clamp>(0x89abcdef, 0x01234567, 8) == 0x6789abcd);
  CHECK(funnel_right<Mode::clamp>(0x89abcdef, 0x01234567, 32) == 0x01234567);
  CHECK(funnel_right<Mode::wrap>(0x89abcdef, 0x01234567, 32) == 0x89abcdef);
}

TEST_CASE("bit fields at and beyond the end") {
  CHECK(extract(0xdeadbeefU, 8, 12) == 0xdbe);
  CHECK(extract<std::int32_t>(0x0000'0800, 8, 4) == -8);
  CHECK(extract<std::int32_t>(0x4000'0000, 28, 8) == 4);  // the sign is bit 31
  CHECK(extract<std::int32_t>(-0x4000'0000, 28, 8) == -4);
  CHECK(extract<std::int32_t>(-1, 200, 1) == -1);
  CHECK(extract<std::int32_t>(-1, 5, 0) == 0);
  CHECK(extract<std::int32_t>(-1, 5, 256) == 0);  // the length is 0 modulo 256
  CHECK(extract(0xffffffffU, 4, 255) == 0x0fffffff);
  CHECK(insert(0xffU, 0U, 28, 8) == 0xf0000000);
  CHECK(insert(0xffU, 0x12345678U, 32, 8) == 0x12345678);
  CHECK(insert(0xffU, 0x12345678U, 4, 0) == 0x12345678);
  CHECK(insert(0xab'cdefU, 0xffffffffU, 0, 255) == 0xab'cdef);
}

TEST_CASE("masks and extensions clamp or wrap") {
  CHECK(mask<Mode::clamp>(1, 2) == 6);
  CHECK(mask<Mode::clamp>(32, 2) == 0);
  CHECK(mask<Mode::clamp>(4, 0) == 0);
  CHECK(mask<Mode::clamp>(4, 99) == 0xfffffff0);
  CHECK(mask<Mode::wrap>(33, 34) == 6);
  CHECK(mask<Mode::wrap>(4, 32) == 0);
  CHECK(extend<Mode::clamp>(-1, 32) == -1);
  CHECK(extend<Mode::wrap>(-1, 32) == 0);
  CHECK(extend<Mode::clamp>(0x1234'0080, 8) == -128);
  CHECK(extend<Mode::clamp>(0x1234'0080U, 8) == 0x80);
  CHECK(extend<Mode::wrap>(0x1234'0080, 40) == -128);
  CHECK(extend<Mode::clamp>(-1, 0) == 0);
}

TEST_CASE("searches in nothing find nothing") {
  CHECK(find_leading(0U) == kNotFound);
  CHECK(find_leading(-1) == kNotFound);
  CHECK(shift_to_leading(std::uint64_t{0}) == kNotFound);
  CHECK(find_leading(std::int64_t{-2}) == 0);
  CHECK(shift_to_leading(1U) == 31);
  CHECK(count_leading_zeros(0U) == 32);
  CHECK(count_ones(~std::uint64_t{0}) == 64);
  CHECK(reverse(0x00000006U) == 0x60000000);
}

TEST_CASE("the n-th set bit is sought from the base on, in either direction") {
  constexpr std::uint32_t kOdd = 0xaaaaaaaa;
  CHECK(find_nth_set(kOdd, 3, 1) == 3);
  CHECK(find_nth_set(kOdd, 3, -1) == 3);
  CHECK(find_nth_set(kOdd, 2, 1) == 3);
  CHECK(find_nth_set(kOdd, 2, -1) == 1);
  CHECK(find_nth_set(kOdd, 2, -2) == kNotFound);
  CHECK(find_nth_set(kOdd, 3, 0) == 3);
  CHECK(find_nth_set(kOdd, 2, 0) == kNotFound);
  CHECK(find_nth_set(kOdd, 0, 16) == 31);
  CHECK(find_nth_set(kOdd, 0, 17) == kNotFound);
  CHECK(find_nth_set(kOdd, 40, 1) == kNotFound);
  CHECK(find_nth_set(~0U, 31, -2147483647 - 1) == kNotFound);
}

TEST_CASE("byte permutations") {
  constexpr std::uint32_t kA = 0x83020100;
  constexpr std::uint32_t kB = 0x07060504;
  CHECK(permute(kA, kB, 0x3210) == kA);
  CHECK(permute(kA, kB, 0x0765) == 0x00070605);
  CHECK(permute(kA, kB, 0xb8f3) == 0xff000083);
  CHECK(permute(kA, kB, 0xffff3210) == kA);
  const auto all = [&](auto permuted) {
    return std::array{permuted(kA, kB, 0U), permuted(kA, kB, 1U), permuted(kA, kB, 2U), permuted(kA, kB, 7U)};
  };
  using Results = std::array<std::uint32_t, 4>;
  CHECK(all(permute_by<forward_4>) == Results{0x83020100, 0x04830201, 0x05048302, 0x06050483});
  CHECK(all(permute_by<backward_4>) == Results{0x05060700, 0x06070001, 0x07000102, 0x00010283});
  CHECK(all(permute_by<replicate_8>) == Results{0x00000000, 0x01010101, 0x02020202, 0x83838383});
  CHECK(all(permute_by<clamp_left>) == Results{0x83020100, 0x83020101, 0x83020202, 0x83838383});
  CHECK(all(permute_by<clamp_right>) == Results{0x00000000, 0x01010100, 0x02020100, 0x83020100});
  CHECK(all(permute_by<replicate_16>) == Results{0x01000100, 0x83028302, 0x01000100, 0x83028302});
}

}  // namespace
}  // namespace lathe::runtime::ptx::bitwise
