#include "tests/reference/rounding.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

using lathe::bf16;
using lathe::DType;
using lathe::e4m3;
using lathe::e5m2;
using lathe::f16;
using lathe::f32;
using namespace lathe::reference;

TEST_CASE("every 16-bit pattern is read and written back") {
  for (const DType dtype : {f16, bf16}) {
    int wrong = 0;
    for (int bits = 0; bits < 0x10000; ++bits) {
      const auto pattern = static_cast<std::uint16_t>(bits);
      const double value = value_of(dtype, pattern);
      const std::uint16_t back = bits_of(dtype, value);
      if (std::isnan(value) ? !std::isnan(value_of(dtype, back)) : back != pattern) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("every fp8 pattern is read and written back, but for infinities, which saturate") {
  for (const DType dtype : {e4m3, e5m2}) {
    int wrong = 0;
    for (int bits = 0; bits < 0x100; ++bits) {
      const double value = value_of(dtype, static_cast<std::uint16_t>(bits));
      const std::uint16_t back = bits_of(dtype, value);
      const int expected = std::isnan(value) ? (bits & 0x80) | 0x7F : std::isinf(value) ? bits - 1 : bits;
      if (back != expected && !(std::isnan(value) && (back & 0x7F) == 0x7F)) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("fp8 has its known values, rounds ties to even and saturates") {
  CHECK(value_of(e4m3, 0x38) == 1.0);
  CHECK(value_of(e4m3, 0x7E) == 448.0);
  CHECK(value_of(e4m3, 0x01) == 0x1p-9);
  CHECK(std::isnan(value_of(e4m3, 0xFF)));
  CHECK(value_of(e5m2, 0x3C) == 1.0);
  CHECK(value_of(e5m2, 0x7B) == 57344.0);
  CHECK(value_of(e5m2, 0x01) == 0x1p-16);
  CHECK(value_of(e5m2, 0xFC) == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(value_of(e5m2, 0x7D)));
  CHECK(rounded_to(e4m3, 1.0625) == 1.0);  // a tie, down to even
  CHECK(rounded_to(e4m3, 1.1875) == 1.25);
  CHECK(rounded_to(e5m2, 1.125) == 1.0);
  CHECK(rounded_to(e4m3, 465.0) == 448.0);
  CHECK(rounded_to(e4m3, -1e9) == -448.0);
  CHECK(rounded_to(e5m2, 61441.0) == 57344.0);
  CHECK(rounded_to(e5m2, std::numeric_limits<double>::infinity()) == 57344.0);
  CHECK(rounded_to(e4m3, 0x1p-10) == 0.0);  // half of the smallest
  CHECK(bits_of(e4m3, std::nan("")) == 0x7F);
  CHECK(bits_of(e5m2, -0.0) == 0x80);
}

TEST_CASE("known patterns have their known values") {
  CHECK(value_of(f16, 0x3C00) == 1.0);
  CHECK(value_of(f16, 0x7BFF) == 65504.0);
  CHECK(value_of(f16, 0x0001) == 0x1p-24);
  CHECK(value_of(f16, 0xFC00) == -std::numeric_limits<double>::infinity());
  CHECK(value_of(bf16, 0x3F80) == 1.0);
  CHECK(value_of(bf16, 0x0001) == 0x1p-133);
  CHECK(value_of(bf16, 0x4049) == 3.140625);
}

TEST_CASE("rounding is to nearest, ties to even, overflow to infinity") {
  CHECK(rounded_to(bf16, 1 + 0x1p-8) == 1.0);             // a tie, down to even
  CHECK(rounded_to(bf16, 1 + 3 * 0x1p-8) == 1 + 0x1p-6);  // a tie, up to even
  CHECK(rounded_to(bf16, 1 + 0x1p-8 + 0x1p-20) == 1 + 0x1p-7);
  CHECK(rounded_to(f16, 65519.0) == 65504.0);
  CHECK(rounded_to(f16, 65520.0) == std::numeric_limits<double>::infinity());
  CHECK(rounded_to(f16, 0x1p-25) == 0.0);  // half of the smallest: a tie to even
  CHECK(rounded_to(f16, 1.5 * 0x1p-25) == 0x1p-24);
  CHECK(rounded_to(f32, 0.1) == static_cast<double>(0.1f));
  CHECK(std::isnan(rounded_to(f16, std::nan(""))));
}

TEST_CASE("float rounding agrees with the machine's") {
  for (double value = 1e-42; value < 1e38; value *= 1.7) {
    CHECK(rounded_to(f32, value) == static_cast<double>(static_cast<float>(value)));
  }
}
