// mma against matrix arithmetic in double: every shape and type.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/mma_reference.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_warp.h"

using namespace lathe::tests;
using namespace lathe::tests::mma;

namespace {

struct Form {
  std::string_view shape;
  std::string_view a;
  std::string_view b;
  std::string_view accumulator;
  std::string_view modifier = "";
};

constexpr Form kForms[] = {
    {"m16n8k8", "f16", "f16", "f32"},        {"m16n8k8", "f16", "f16", "f16"},
    {"m16n8k16", "f16", "f16", "f32"},       {"m16n8k16", "f16", "f16", "f16"},
    {"m16n8k8", "bf16", "bf16", "f32"},      {"m16n8k16", "bf16", "bf16", "f32"},
    {"m16n8k4", "tf32", "tf32", "f32"},      {"m16n8k8", "tf32", "tf32", "f32"},
    {"m16n8k16", "e4m3", "e4m3", "f32"},     {"m16n8k16", "e5m2", "e5m2", "f16"},
    {"m16n8k16", "e4m3", "e5m2", "f16"},     {"m16n8k32", "e4m3", "e4m3", "f32"},
    {"m16n8k32", "e5m2", "e5m2", "f32"},     {"m16n8k32", "e4m3", "e5m2", "f32"},
    {"m16n8k32", "e5m2", "e4m3", "f16"},     {"m8n8k16", "s8", "u8", "s32"},
    {"m16n8k16", "s8", "s8", "s32"},         {"m16n8k16", "u8", "s8", "s32", ".satfinite"},
    {"m16n8k32", "s8", "s8", "s32"},         {"m16n8k32", "u8", "u8", "s32"},
    {"m16n8k32", "s8", "u8", "s32"},         {"m16n8k32", "s8", "s8", "s32", ".satfinite"},
    {"m8n8k4", "f64", "f64", "f64"},         {"m16n8k4", "f64", "f64", "f64"},
    {"m16n8k8", "f64", "f64", "f64", ".rn"}, {"m16n8k16", "f64", "f64", "f64"},
};

const Shape& shape_of(const Form& form) {
  for (const Shape& shape : kShapes) {
    if (shape.name == form.shape && shape.bits == element(form.a).bits) return shape;
  }
  throw std::logic_error("no such shape");
}

std::string registers(char name, unsigned first, std::size_t count) {
  std::string text = "{";
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{}{}{}", i == 0 ? "" : ", ", name, first + i);
  return text + "}";
}

/// D's registers, for a given A, B and C.
template <class R>
std::vector<R> execute(const Form& form, const Matrix& a, const Matrix& b, const Matrix& c) {
  const Shape& shape = shape_of(form);
  const unsigned accumulator_bits = element(form.accumulator).bits;
  std::vector<R> inputs;
  append_fragment(inputs, a, shape.bits, shape.a);
  const auto b_first = static_cast<unsigned>(inputs.size() / 32);
  append_fragment(inputs, b, shape.bits, shape.b);
  const auto c_first = static_cast<unsigned>(inputs.size() / 32);
  append_fragment(inputs, c, accumulator_bits, place_in_c);
  const auto outputs = static_cast<unsigned>(inputs.size() / 32) - c_first;
  return on_warp(fmt::format("  mma.sync.aligned.{}.row.col{}.{}.{}.{}.{} {}, {}, {}, {};\n", form.shape,
                             form.modifier, form.accumulator, form.a, form.b, form.accumulator,
                             registers('d', 0, outputs), registers('a', 0, b_first),
                             registers('a', b_first, c_first - b_first), registers('a', c_first, outputs)),
                 inputs, outputs);
}

/// The same as a matrix; C and the result are bits of the accumulator's type.
Matrix product(const Form& form, const Matrix& a, const Matrix& b, const Matrix& c) {
  const unsigned bits = element(form.accumulator).bits;
  if (bits == 64) return accumulator_of(execute<std::uint64_t>(form, a, b, c), a.rows, bits);
  return accumulator_of(execute<std::uint32_t>(form, a, b, c), a.rows, bits);
}

double exact_element(const Form& form, const Matrix& a, const Matrix& b, const Matrix& c, At at) {
  double sum = element(form.accumulator).value(c[at]);
  for (unsigned k = 0; k < a.columns; ++k)
    sum += element(form.a).value(a[{at.row, k}]) * element(form.b).value(b[{k, at.column}]);
  return sum;
}

double rounded_to_half(double value) {
  if (std::fabs(value) >= 65520) return std::copysign(std::numeric_limits<double>::infinity(), value);
  const double quantum = std::ldexp(1.0, std::max(std::ilogb(value) - 10, -24));
  return value == 0 ? value : std::nearbyint(value / quantum) * quantum;
}

double expected_element(const Form& form, double exact) {
  if (form.accumulator == "f16") return rounded_to_half(exact);
  if (form.accumulator == "f32") return double{static_cast<float>(exact)};
  if (form.accumulator == "f64") return exact;
  if (form.modifier == ".satfinite") return std::min(std::max(exact, -2147483648.0), 2147483647.0);
  return double(static_cast<std::int32_t>(static_cast<std::int64_t>(exact)));
}

constexpr Form kBf16{"m16n8k16", "bf16", "bf16", "f32"};
constexpr Form kF16{"m16n8k16", "f16", "f16", "f32"};

Matrix filled(unsigned rows, unsigned columns, std::uint64_t bits) {
  return {rows, columns, std::vector<std::uint64_t>(rows * columns, bits)};
}

}  // namespace

TEST_CASE("mma multiplies and adds in every shape and type") {
  std::mt19937_64 random(1);
  for (const Form& form : kForms) {
    INFO(form.shape << " " << form.accumulator << " " << form.a << " " << form.b << form.modifier);
    const Shape& shape = shape_of(form);
    for (int round = 0; round < 4; ++round) {
      const Matrix a = random_matrix(shape.rows, shape.depth, element(form.a), random);
      const Matrix b = random_matrix(shape.depth, 8, element(form.b), random);
      const Matrix c = random_matrix(shape.rows, 8, element(form.accumulator), random);
      const Matrix d = product(form, a, b, c);
      for (unsigned row = 0; row < shape.rows; ++row) {
        for (unsigned column = 0; column < 8; ++column) {
          INFO("row " << row << " column " << column);
          const double exact = exact_element(form, a, b, c, {row, column});
          const double got = element(form.accumulator).value(d[{row, column}]);
          if (std::isinf(expected_element(form, exact))) {
            CHECK((d[{row, column}] & 0x7fff) == 0x7c00);
          } else {
            CHECK(got == expected_element(form, exact));
          }
        }
      }
    }
  }
}

TEST_CASE("mma keeps sums that single precision would lose") {
  // 2^24 + 1 - 2^24: a float alone has no place for the 1.
  Matrix a = filled(16, 16, 0);
  Matrix b = filled(16, 8, 0x3f80);
  a[{3, 0}] = 0x4b80;  // 2^24
  a[{3, 1}] = 0x3f80;
  a[{3, 2}] = 0xcb80;
  const Matrix d = product(kBf16, a, b, filled(16, 8, 0));
  for (unsigned column = 0; column < 8; ++column) CHECK(d[{3, column}] == std::bit_cast<std::uint32_t>(1.0F));
  CHECK(d[{2, 0}] == 0);
}

TEST_CASE("mma of any finite bf16 is within a last place of the sum") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 20; ++round) {
    Matrix a = filled(16, 16, 0);
    Matrix b = filled(16, 8, 0);
    for (auto* matrix : {&a, &b}) {
      for (auto& bits : matrix->bits) {
        do {
          bits = random() & 0xffff;
        } while ((bits & 0x7f80) == 0x7f80);
      }
    }
    const Matrix c = random_matrix(16, 8, element("f32"), random);
    const Matrix d = product(kBf16, a, b, c);
    for (unsigned i = 0; i < 128; ++i) {
      const At at{i / 8, i % 8};
      const auto expected = static_cast<float>(exact_element(kBf16, a, b, c, at));
      const auto got = std::bit_cast<float>(static_cast<std::uint32_t>(d[at]));
      const bool is_near = got == expected || std::nextafter(got, expected) == expected;
      CHECK(is_near);
    }
  }
}

TEST_CASE("mma keeps subnormal inputs and results") {
  Matrix a = filled(16, 16, 0);
  Matrix b = filled(16, 8, 0x3c00);
  a[{5, 7}] = 0x8001;  // -2^-24, subnormal in f16
  CHECK(product(kF16, a, b, filled(16, 8, 0))[{5, 2}] == std::bit_cast<std::uint32_t>(-0x1p-24F));
  constexpr Form kHalves{"m16n8k16", "f16", "f16", "f16"};
  CHECK(product(kHalves, a, b, filled(16, 8, 0x0003))[{5, 2}] == 0x0002);
}

TEST_CASE("mma of infinities and NaN gives infinity and the canonical NaN") {
  constexpr std::uint32_t kInfinity = 0x7f800000;
  constexpr std::uint32_t kNan = 0x7fffffff;
  const Matrix ones = filled(16, 8, 0x3f80);
  const auto first_row = [&](std::uint64_t x, std::uint64_t y, std::uint64_t c) {
    Matrix a = filled(16, 16, 0);
    a[{0, 0}] = x;
    a[{0, 1}] = y;
    const Matrix d = product(kBf16, a, ones, filled(16, 8, c));
    CHECK(d[{1, 0}] == c);
    return static_cast<std::uint32_t>(d[{0, 0}]);
  };
  CHECK(first_row(0x7f80, 0, 0x3f800000) == kInfinity);
  CHECK(first_row(0xff80, 0x3f80, 0x3f800000) == (kInfinity | 0x80000000));
  CHECK(first_row(0x7f80, 0xff80, 0x3f800000) == kNan);
  CHECK(first_row(0x7f81, 0, 0x3f800000) == kNan);
  CHECK(first_row(0xffff, 0, 0x3f800000) == kNan);
  CHECK(first_row(0x7f7f, 0x7f7f, 0x3f800000) == kInfinity);  // the sum overflows

  Matrix zeros = filled(16, 8, 0);
  Matrix a = filled(16, 16, 0);
  a[{0, 0}] = 0x7f80;
  CHECK(product(kBf16, a, zeros, filled(16, 8, 0))[{0, 0}] == kNan);
}

TEST_CASE("mma knows the NaN of both formats of 8 bits, and e4m3 has no infinity") {
  constexpr Form kE4m3{"m16n8k32", "e4m3", "e4m3", "f32"};
  constexpr Form kE5m2{"m16n8k32", "e5m2", "e5m2", "f16"};
  Matrix a = filled(16, 32, 0);
  a[{0, 0}] = 0x7f;
  a[{1, 0}] = 0xff;
  a[{2, 0}] = 0x7e;
  a[{3, 0}] = 0x7c;
  const Matrix d = product(kE4m3, a, filled(32, 8, 0x38), filled(16, 8, 0));
  CHECK(d[{0, 0}] == 0x7fffffff);
  CHECK(d[{1, 0}] == 0x7fffffff);
  CHECK(d[{2, 0}] == std::bit_cast<std::uint32_t>(448.0F));
  CHECK(d[{3, 0}] == std::bit_cast<std::uint32_t>(384.0F));
  const Matrix e = product(kE5m2, a, filled(32, 8, 0x3c), filled(16, 8, 0));
  CHECK(e[{0, 0}] == 0x7fff);
  CHECK(e[{2, 0}] == 0x7fff);
  CHECK(e[{3, 0}] == 0x7c00);
}

TEST_CASE("mma of integers wraps, or saturates if asked") {
  const Form wrapping{"m16n8k32", "s8", "s8", "s32"};
  const Form saturating{"m16n8k32", "s8", "s8", "s32", ".satfinite"};
  const Matrix most = filled(16, 32, 0x7f);
  const Matrix least = filled(32, 8, 0x80);
  const Matrix more = filled(32, 8, 0x7f);
  const std::int64_t down = 32LL * 127 * -128;
  const std::int64_t up = 32LL * 127 * 127;
  const Matrix high = filled(16, 8, 0x7fffff00);
  const Matrix low = filled(16, 8, 0x80000010);
  CHECK(product(wrapping, most, more, high)[{7, 3}] == static_cast<std::uint32_t>(0x7fffff00 + up));
  CHECK(product(saturating, most, more, high)[{7, 3}] == 0x7fffffff);
  CHECK(product(wrapping, most, least, low)[{15, 7}] == static_cast<std::uint32_t>(0x80000010 + down));
  CHECK(product(saturating, most, least, low)[{15, 7}] == 0x80000000);
  CHECK(product(saturating, most, least, high)[{0, 0}] == static_cast<std::uint32_t>(0x7fffff00 + down));
}

TEST_CASE("mma of f64 rounds as fma does") {
  constexpr Form kForm{"m8n8k4", "f64", "f64", "f64"};
  const double third = 1.0 / 3;
  Matrix a = filled(8, 4, 0);
  Matrix b = filled(4, 8, 0);
  a[{2, 1}] = std::bit_cast<std::uint64_t>(third);
  b[{1, 5}] = std::bit_cast<std::uint64_t>(3.0);
  Matrix c = filled(8, 8, std::bit_cast<std::uint64_t>(-1.0));
  CHECK(std::bit_cast<double>(product(kForm, a, b, c)[{2, 5}]) == std::fma(third, 3.0, -1.0));
  CHECK(std::bit_cast<double>(product(kForm, a, b, c)[{2, 4}]) == -1.0);
}

TEST_CASE("mma may write where it reads") {
  std::mt19937_64 random(3);
  const Matrix a = random_matrix(16, 16, element("bf16"), random);
  const Matrix b = random_matrix(16, 8, element("bf16"), random);
  const Matrix c = random_matrix(16, 8, element("f32"), random);
  const Matrix separate = product(kBf16, a, b, c);
  std::vector<std::uint32_t> inputs;
  append_fragment(inputs, a, 16, shape_of(kBf16).a);
  append_fragment(inputs, b, 16, shape_of(kBf16).b);
  append_fragment(inputs, c, 32, place_in_c);
  for (const std::string_view place :
       {"a0, a1, a2, a3", "a6, a7, a8, a9", "a9, a8, a7, a6", "a4, a5, a0, a8"}) {
    const std::string body = fmt::format(
        "  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{{0}}}, {{a0, a1, a2, a3}}, {{a4, a5}}, "
        "{{a6, a7, a8, a9}};\n",
        place);
    std::string moves;
    for (unsigned i = 0; i < 4; ++i) moves += fmt::format("  mov.b32 d{}, {};\n", i, place.substr(i * 4, 2));
    CHECK(accumulator_of(on_warp(body + moves, inputs, 4), 16, 32).bits == separate.bits);
  }
}
