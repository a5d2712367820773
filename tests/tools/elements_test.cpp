#include "tools/lathe/elements.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tests/support/catch.h"

using namespace lathe;
using tools::load_element;
using tools::store_element;

namespace {

std::uint32_t bits_of(DType dtype, double value) {
  std::uint32_t bits = 0;
  store_element(dtype, value, &bits);
  return bits;
}

double value_of(DType dtype, std::uint32_t bits) {
  return load_element(dtype, &bits);
}

}  // namespace

TEST_CASE("Known values have their known bits") {
  CHECK(bits_of(f32, 1.0) == 0x3F800000);
  CHECK(bits_of(f16, 1.0) == 0x3C00);
  CHECK(bits_of(f16, 65504.0) == 0x7BFF);
  CHECK(bits_of(f16, -2.0) == 0xC000);
  CHECK(bits_of(bf16, 1.0) == 0x3F80);
  CHECK(bits_of(bf16, -0.0) == 0x8000);
  CHECK(bits_of(e4m3, 448.0) == 0x7E);
  CHECK(bits_of(e4m3, 1.0) == 0x38);
  CHECK(bits_of(e5m2, 57344.0) == 0x7B);
  CHECK(bits_of(e5m2, 1.0) == 0x3C);
}

TEST_CASE("Ties go to the even neighbour") {
  CHECK(bits_of(bf16, 1.0 + std::ldexp(1.0, -8)) == 0x3F80);
  CHECK(bits_of(bf16, 1.0 + 3 * std::ldexp(1.0, -8)) == 0x3F82);
  CHECK(bits_of(f16, 1.0 + std::ldexp(1.0, -11)) == 0x3C00);
  CHECK(bits_of(f16, 1.0 + 3 * std::ldexp(1.0, -11)) == 0x3C02);
}

TEST_CASE("A double is rounded once") {
  // As a float this is exactly the tie 1 + 2^-8, which would go down.
  const double just_above_tie = 1.0 + std::ldexp(1.0, -8) + std::ldexp(1.0, -40);
  CHECK(bits_of(bf16, just_above_tie) == 0x3F81);
}

TEST_CASE("Values beyond the largest become infinity, or NaN where there is none") {
  CHECK(bits_of(f16, 65520.0) == 0x7C00);
  CHECK(bits_of(f16, 65519.0) == 0x7BFF);
  CHECK(bits_of(bf16, 1e39) == 0x7F80);
  CHECK(bits_of(e5m2, -1e6) == 0xFC);
  CHECK(bits_of(e4m3, 1000.0) == 0x7F);
  CHECK(bits_of(e4m3, 464.0) == 0x7E);
  CHECK(bits_of(e4m3, std::numeric_limits<double>::infinity()) == 0x7F);
}

TEST_CASE("Subnormal numbers and the step to normal ones are exact") {
  CHECK(bits_of(f16, std::ldexp(1.0, -24)) == 0x0001);
  CHECK(bits_of(f16, std::ldexp(1.0, -25)) == 0x0000);
  CHECK(bits_of(f16, std::ldexp(1.5, -25)) == 0x0001);
  CHECK(bits_of(f16, std::ldexp(1.0, -14) - std::ldexp(1.0, -26)) == 0x0400);
  CHECK(bits_of(e4m3, std::ldexp(1.0, -9)) == 0x01);
}

TEST_CASE("Every element survives the way through double") {
  const DType dtype = GENERATE(f16, bf16, e4m3, e5m2);
  const std::uint32_t count = size_of(dtype) == 2 ? 1u << 16 : 1u << 8;
  for (std::uint32_t bits = 0; bits < count; ++bits) {
    const double value = value_of(dtype, bits);
    const std::uint32_t back = bits_of(dtype, value);
    if (std::isnan(value) ? !std::isnan(value_of(dtype, back)) : back != bits) {
      FAIL("bits " << bits << " of " << name_of(dtype) << " came back as " << back);
    }
  }
  SUCCEED();
}

TEST_CASE("Only floating-point dtypes are floating") {
  CHECK(tools::is_floating(e4m3));
  CHECK_FALSE(tools::is_floating(i32));
  CHECK_FALSE(tools::is_floating(u8));
}
