#include "runtime/ptx/packed_conversions.h"

#include <cmath>
#include <limits>

#include "tests/runtime/ptx/float_expectation.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> operands() {
  auto values = samples<float>(400);
  for (const float value : {0.5F, 448.0F, 464.0F, 480.0F, 57344.0F, 61440.0F, 65519.9F, 65520.0F, 1e-5F,
                            -1e-7F, 0x1p-9F, 0x1p-10F, 0x1.8p-10F, 0x1p-17F, 3.3e38F, -448.5F}) {
    values.push_back(value);
  }
  return values;
}

/// The first source goes to the upper part of the result, of kBits.
template <class Register, class Narrow>
void check_pack(const std::string& instruction, unsigned bits, Narrow narrow) {
  const auto upper = operands();
  const std::vector<float> lower(upper.rbegin(), upper.rend());
  const auto results = evaluate<Register>(instruction + " d, a, b;", upper, lower);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < upper.size(); ++i) {
    const std::uint32_t expected = std::uint32_t{narrow(upper[i])} << bits | narrow(lower[i]);
    if (results[i] != expected && ++wrong < 4) {
      UNSCOPED_INFO(shown(upper[i]) << ", " << shown(lower[i]) << ": " << results[i] << ", not " << expected);
    }
  }
  INFO(instruction);
  CHECK(wrong == 0);
}

float positive(float value) {
  return value < 0 || value == 0 ? 0.0F : value;
}
float limited(float value, float largest) {
  return std::isnan(value) ? value : std::max(-largest, std::min(value, largest));
}
std::uint16_t f16_toward_zero(float value) {
  return float_to_f16(value, Rounding::toward_zero);
}
std::uint16_t bf16_toward_zero(float value) {
  return float_to_bf16(value, Rounding::toward_zero);
}

}  // namespace

TEST_CASE("cvt of two floats to a pair of halves") {
  const auto to_f16 = [](float value) { return float_to_f16(value); };
  const auto to_bf16 = [](float value) { return float_to_bf16(value); };
  check_pack<std::uint32_t>("cvt.rn.f16x2.f32", 16, to_f16);
  check_pack<std::uint32_t>("cvt.rn.bf16x2.f32", 16, to_bf16);
  check_pack<std::uint32_t>("cvt.rz.f16x2.f32", 16, f16_toward_zero);
  check_pack<std::uint32_t>("cvt.rz.bf16x2.f32", 16, bf16_toward_zero);
  check_pack<std::uint32_t>("cvt.rn.relu.bf16x2.f32", 16, [&](float x) { return to_bf16(positive(x)); });
  check_pack<std::uint32_t>("cvt.rz.relu.f16x2.f32", 16,
                            [&](float x) { return f16_toward_zero(positive(x)); });
  check_pack<std::uint32_t>("cvt.rn.satfinite.f16x2.f32", 16,
                            [&](float x) { return to_f16(limited(x, 65504)); });
  check_pack<std::uint32_t>("cvt.rn.satfinite.relu.bf16x2.f32", 16,
                            [&](float x) { return to_bf16(limited(positive(x), 0x1.fep127F)); });
  CHECK(evaluate<std::uint32_t>("cvt.rn.bf16x2.f32 d, a, 0f3f800000;", std::vector{-2.0F})[0] == 0xc0003f80);
}

TEST_CASE("cvt of two floats to a pair of 8-bit floats") {
  check_pack<std::uint16_t>("cvt.rn.satfinite.e4m3x2.f32", 8, float_to_e4m3);
  check_pack<std::uint16_t>("cvt.rn.satfinite.e5m2x2.f32", 8, float_to_e5m2);
  check_pack<std::uint16_t>("cvt.rn.satfinite.relu.e4m3x2.f32", 8,
                            [](float x) { return float_to_e4m3(positive(x)); });
  check_pack<std::uint16_t>("cvt.rn.relu.satfinite.e5m2x2.f32", 8,
                            [](float x) { return float_to_e5m2(positive(x)); });
}

TEST_CASE("cvt of a pair of halves to 8-bit floats, each where it was") {
  // -1.5 and 1000; infinity and NaN; -0 and 2^-9.
  const std::vector<std::uint32_t> f16s{0xbe0063d0, 0x7c007e00, 0x80001800};
  CHECK(evaluate<std::uint16_t>("cvt.rn.satfinite.e4m3x2.f16x2 d, a;", f16s) ==
        std::vector<std::uint16_t>{0xbc7e, 0x7e7f, 0x8001});
  CHECK(evaluate<std::uint16_t>("cvt.rn.satfinite.e5m2x2.f16x2 d, a;", f16s) ==
        std::vector<std::uint16_t>{0xbe64, 0x7b7f, 0x8018});
  CHECK(evaluate<std::uint16_t>("cvt.rn.satfinite.relu.e4m3x2.f16x2 d, a;", f16s) ==
        std::vector<std::uint16_t>{0x007e, 0x7e7f, 0x0001});
  const std::vector<std::uint32_t> bf16s{0xbfc04380};  // -1.5 and 256
  CHECK(evaluate<std::uint16_t>("cvt.rn.satfinite.e4m3x2.bf16x2 d, a;", bf16s)[0] == 0xbc78);
  CHECK(evaluate<std::uint16_t>("cvt.rn.satfinite.e5m2x2.bf16x2 d, a;", bf16s)[0] == 0xbe5c);
}

TEST_CASE("cvt of 8-bit floats to a pair of halves") {
  std::vector<std::uint16_t> bytes;
  for (unsigned i = 0; i < 256; ++i) bytes.push_back(static_cast<std::uint16_t>(i << 8 | (255 - i)));
  const auto check = [&](const std::string& instruction, auto value_of) {
    const auto results = evaluate<std::uint32_t>(instruction + " d, a;", bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      INFO(instruction << " " << bytes[i]);
      const auto upper = float_to_f16(value_of(static_cast<std::uint8_t>(bytes[i] >> 8)));
      const auto lower = float_to_f16(value_of(static_cast<std::uint8_t>(bytes[i] & 0xff)));
      CHECK(results[i] == (std::uint32_t{upper} << 16 | lower));
    }
  };
  check("cvt.rn.f16x2.e4m3x2", e4m3_to_float);
  check("cvt.rn.f16x2.e5m2x2", e5m2_to_float);
  check("cvt.rn.relu.f16x2.e4m3x2", [](std::uint8_t bits) { return positive(e4m3_to_float(bits)); });
  check("cvt.rn.relu.f16x2.e5m2x2", [](std::uint8_t bits) { return positive(e5m2_to_float(bits)); });
}

TEST_CASE("cvt to tf32") {
  const auto check = [](const std::string& instruction, auto expected) {
    const auto values = operands();
    const auto results = evaluate<std::uint32_t>(instruction + " d, a;", values);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (results[i] != expected(values[i])) ++wrong;
    }
    INFO(instruction);
    CHECK(wrong == 0);
  };
  // With integers, since the mantissa's carry goes into the exponent.
  const auto cut = [](float value, std::uint32_t added) {
    if (std::isnan(value)) return kFloatNan;
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return (std::isinf(value) ? bits : bits + added) & 0xffffe000U;
  };
  const auto even = [&](float value) {
    return cut(value, 0xfffU + (std::bit_cast<std::uint32_t>(value) >> 13 & 1));
  };
  check("cvt.rna.tf32.f32", [&](float value) { return cut(value, 0x1000); });
  check("cvt.rn.tf32.f32", even);
  check("cvt.rz.tf32.f32", [&](float value) { return cut(value, 0); });
  check("cvt.rn.relu.tf32.f32", [&](float value) { return even(positive(value)); });
  check("cvt.rna.satfinite.tf32.f32", [&](float value) { return cut(limited(value, 0x1.ffcp127F), 0x1000); });
  check("cvt.rz.relu.satfinite.tf32.f32",
        [&](float value) { return cut(limited(positive(value), 0x1.ffcp127F), 0); });
}

TEST_CASE("cvt.pack saturates and packs") {
  const std::vector<std::int32_t> a{1, -1, 70000, -70000};
  const std::vector<std::int32_t> b{-2, 300, -300, 5};
  const std::vector<std::uint32_t> c{0x12345678, 0xffffffff, 0, 0xabcd};
  const auto pack = [&](const std::string& type) {
    return evaluate<std::uint32_t>("cvt.pack.sat." + type + ".s32.b32 d, a, b, c;", a, b, c);
  };
  using Words = std::vector<std::uint32_t>;
  CHECK(evaluate<std::uint32_t>("cvt.pack.sat.u16.s32 d, a, b;", a, b) ==
        Words{0x00010000, 0x0000012c, 0xffff0000, 0x00000005});
  CHECK(evaluate<std::uint32_t>("cvt.pack.sat.s16.s32 d, a, b;", a, b) ==
        Words{0x0001fffe, 0xffff012c, 0x7ffffed4, 0x80000005});
  CHECK(pack("u8") == Words{0x56780100, 0xffff00ff, 0x0000ff00, 0xabcd0005});
  CHECK(pack("s8") == Words{0x567801fe, 0xffffff7f, 0x00007f80, 0xabcd8005});
  CHECK(pack("u4") == Words{0x34567810, 0xffffff0f, 0x000000f0, 0x00abcd05});
  CHECK(pack("s4") == Words{0x3456781e, 0xfffffff7, 0x00000078, 0x00abcd85});
  CHECK(pack("u2") == Words{0x23456784, 0xfffffff3, 0x0000000c, 0x000abcd3});
  CHECK(pack("s2") == Words{0x23456786, 0xfffffffd, 0x00000006, 0x000abcd9});
}

TEST_CASE("forms of packed cvt that PTX does not have are refused") {
  for (const char* instruction : {"cvt.f16x2.f32 r0, f0, f1",
                                  "cvt.rm.f16x2.f32 r0, f0, f1",
                                  "cvt.rna.bf16x2.f32 r0, f0, f1",
                                  "cvt.rs.f16x2.f32 r0, f0, f1, r1",
                                  "cvt.rn.ftz.bf16x2.f32 r0, f0, f1",
                                  "cvt.rn.sat.f16x2.f32 r0, f0, f1",
                                  "cvt.rn.bf16x2.f32 r0, f0",
                                  "cvt.rn.e4m3x2.f32 h0, f0, f1",
                                  "cvt.rz.satfinite.e4m3x2.f32 h0, f0, f1",
                                  "cvt.rn.satfinite.e4m3x2.f32 r0, f0, f1",
                                  "cvt.rn.satfinite.f16x2.e4m3x2 r0, h0",
                                  "cvt.f16x2.e4m3x2 r0, h0",
                                  "cvt.rn.bf16x2.e4m3x2 r0, h0",
                                  "cvt.rn.satfinite.e2m1x2.f32 h0, f0, f1",
                                  "cvt.rn.satfinite.e3m2x2.f32 h0, f0, f1",
                                  "cvt.rz.ue8m0x2.f32 h0, f0, f1",
                                  "cvt.tf32.f32 r0, f0",
                                  "cvt.rna.relu.tf32.f32 r0, f0",
                                  "cvt.rn.f32.tf32 f0, r0",
                                  "cvt.pack.u16.s32 r0, r1, r2",
                                  "cvt.pack.sat.u8.s32 r0, r1, r2",
                                  "cvt.pack.sat.s16.s32.b32 r0, r1, r2, r3",
                                  "cvt.pack.sat.u32.s32 r0, r1, r2",
                                  "cvt.pack.sat.u16.u32 r0, r1, r2"}) {
    check_refused(instruction);
  }
}
