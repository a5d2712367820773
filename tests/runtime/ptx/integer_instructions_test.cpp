// The instructions of integer arithmetic, against arithmetic of 128 bits.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_combinations.h"

namespace lathe::tests {
namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

/// Wide enough for a product of two values of T.
template <class T>
using Wide = std::conditional_t<std::is_signed_v<T>, Int128, Uint128>;

template <class T>
constexpr int kBits = 8 * sizeof(T);

template <class T>
std::string type_name() {
  return fmt::format("{}{}", std::is_signed_v<T> ? 's' : 'u', kBits<T>);
}

/// `opcode` of a type with two or three sources of that type; expected is given wide values.
template <class T, class Expected>
void check_binary(std::string_view opcode, Expected expected) {
  const auto values = edge_values<T>();
  check_combinations<T>(
      fmt::format("{}.{} d, a, b;", opcode, type_name<T>()),
      [&](T a, T b) { return expected(Wide<T>{a}, Wide<T>{b}); }, values, values);
}

template <class T, class Expected>
void check_ternary(std::string_view opcode, Expected expected) {
  const auto values = edge_values<T>();
  check_combinations<T>(
      fmt::format("{}.{} d, a, b, c;", opcode, type_name<T>()),
      [&](T a, T b, T c) { return expected(Wide<T>{a}, Wide<T>{b}, Wide<T>{c}); }, values, values, values);
}

template <class T, class Expected>
void check_unary(std::string_view opcode, Expected expected) {
  check_combinations<T>(
      fmt::format("{}.{} d, a;", opcode, type_name<T>()), [&](T a) { return expected(Wide<T>{a}); },
      edge_values<T>());
}

Int128 saturated(Int128 value) {
  return std::clamp(value, -(Int128{1} << 31), (Int128{1} << 31) - 1);
}

/// Two values of T in a word, taken apart and put together again.
template <class T, class Expected>
void check_halves(std::string_view instruction, Expected expected) {
  const std::vector<std::uint32_t> values{0,          1,          0x00010000, 0x7fff8000, 0x80007fff,
                                          0xffffffff, 0xffff0001, 0x0001ffff, 0x12345678, 0xfedcba98};
  check_combinations<std::uint32_t>(
      instruction,
      [&](std::uint32_t a, std::uint32_t b) {
        const auto half = [&](int shift) {
          const int result = expected(static_cast<T>(a >> shift), static_cast<T>(b >> shift));
          return std::uint32_t{static_cast<std::uint16_t>(result)};
        };
        return half(16) << 16 | half(0);
      },
      values, values);
}

TEMPLATE_TEST_CASE("sums, products and quotients of integers", "", std::uint16_t, std::int16_t, std::uint32_t,
                   std::int32_t, std::uint64_t, std::int64_t) {
  using T = TestType;
  using W = Wide<T>;
  check_binary<T>("add", [](W a, W b) { return a + b; });
  check_binary<T>("sub", [](W a, W b) { return a - b; });
  check_binary<T>("mul.lo", [](W a, W b) { return a * b; });
  check_binary<T>("mul.hi", [](W a, W b) { return a * b >> kBits<T>; });
  check_binary<T>("div", [](W a, W b) { return b == 0 ? ~W{0} : a / b; });
  check_binary<T>("rem", [](W a, W b) { return b == 0 ? ~W{0} : a % b; });
  check_binary<T>("min", [](W a, W b) { return std::min(a, b); });
  check_binary<T>("max", [](W a, W b) { return std::max(a, b); });
  check_ternary<T>("mad.lo", [](W a, W b, W c) { return a * b + c; });
  check_ternary<T>("mad.hi", [](W a, W b, W c) { return (a * b >> kBits<T>)+c; });
  check_ternary<T>("sad", [](W a, W b, W c) { return c + (a < b ? b - a : a - b); });
}

TEMPLATE_TEST_CASE("sign changes of integers", "", std::int16_t, std::int32_t, std::int64_t) {
  check_unary<TestType>("neg", [](Int128 a) { return -a; });
  check_unary<TestType>("abs", [](Int128 a) { return a < 0 ? -a : a; });
}

template <class T, class D>
void check_wide_products() {
  const auto values = edge_values<T>();
  check_combinations<D>(
      fmt::format("mul.wide.{} d, a, b;", type_name<T>()), [](T a, T b) { return Wide<T>{a} * b; }, values,
      values);
  check_combinations<D>(
      fmt::format("mad.wide.{} d, a, b, c;", type_name<T>()),
      [](T a, T b, D c) { return Wide<T>{a} * b + c; }, values, values, edge_values<D>());
}

TEST_CASE("wide products of integers") {
  check_wide_products<std::uint16_t, std::uint32_t>();
  check_wide_products<std::int16_t, std::int32_t>();
  check_wide_products<std::uint32_t, std::uint64_t>();
  check_wide_products<std::int32_t, std::int64_t>();
}

TEST_CASE("saturated arithmetic of integers") {
  using T = std::int32_t;
  check_binary<T>("add.sat", [](Int128 a, Int128 b) { return saturated(a + b); });
  check_binary<T>("sub.sat", [](Int128 a, Int128 b) { return saturated(a - b); });
  check_ternary<T>("mad.hi.sat", [](Int128 a, Int128 b, Int128 c) { return saturated((a * b >> 32) + c); });
}

TEMPLATE_TEST_CASE("products of 24 bits", "", std::uint32_t, std::int32_t) {
  using T = TestType;
  using W = Wide<T>;
  const auto product = [](W a, W b) {
    const auto low = [](W value) {
      const W bits = value & 0xffffff;
      return std::is_signed_v<T> && bits >= 0x800000 ? bits - 0x1000000 : bits;
    };
    return low(a) * low(b);
  };
  check_binary<T>("mul24.lo", product);
  check_binary<T>("mul24.hi", [&](W a, W b) { return product(a, b) >> 16; });
  check_ternary<T>("mad24.lo", [&](W a, W b, W c) { return product(a, b) + c; });
  check_ternary<T>("mad24.hi", [&](W a, W b, W c) { return (product(a, b) >> 16) + c; });
  if constexpr (std::is_signed_v<T>) {
    check_ternary<T>("mad24.hi.sat", [&](W a, W b, W c) { return saturated((product(a, b) >> 16) + c); });
  }
}

TEST_CASE("extremes that are not negative") {
  const auto relu = [](auto value) { return value < 0 ? decltype(value){0} : value; };
  check_binary<std::int32_t>("min.relu", [&](Int128 a, Int128 b) { return relu(std::min(a, b)); });
  check_binary<std::int32_t>("max.relu", [&](Int128 a, Int128 b) { return relu(std::max(a, b)); });
  check_halves<std::int16_t>("min.relu.s16x2 d, a, b;", [&](int a, int b) { return relu(std::min(a, b)); });
  check_halves<std::int16_t>("max.s16x2.relu d, a, b;", [&](int a, int b) { return relu(std::max(a, b)); });
}

TEST_CASE("pairs of short integers") {
  const auto sum = [](int a, int b) { return a + b; };
  const auto least = [](int a, int b) { return std::min(a, b); };
  const auto greatest = [](int a, int b) { return std::max(a, b); };
  check_halves<std::uint16_t>("add.u16x2 d, a, b;", sum);
  check_halves<std::int16_t>("add.s16x2 d, a, b;", sum);
  check_halves<std::uint16_t>("min.u16x2 d, a, b;", least);
  check_halves<std::int16_t>("min.s16x2 d, a, b;", least);
  check_halves<std::uint16_t>("max.u16x2 d, a, b;", greatest);
  check_halves<std::int16_t>("max.s16x2 d, a, b;", greatest);
}

/// Element `i` of `bits` bits.
Int128 element(std::uint32_t word, int i, int bits, bool is_signed) {
  const Int128 value = word >> i * bits & ((std::uint32_t{1} << bits) - 1);
  return is_signed && value >> (bits - 1) != 0 ? value - (Int128{1} << bits) : value;
}

TEST_CASE("dot products") {
  const auto values = edge_values<std::uint32_t>();
  for (const bool a_signed : {false, true}) {
    for (const bool b_signed : {false, true}) {
      const std::string types = fmt::format("{}.{}", a_signed ? "s32" : "u32", b_signed ? "s32" : "u32");
      const auto dot = [&](std::uint32_t a, int a_bits, std::uint32_t b, int first, Int128 sum) {
        for (int i = 0; i < 32 / a_bits; ++i)
          sum += element(a, i, a_bits, a_signed) * element(b, first + i, 8, b_signed);
        return sum;
      };
      check_combinations<std::uint32_t>(
          fmt::format("dp4a.{} d, a, b, c;", types),
          [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) { return dot(a, 8, b, 0, c); }, values,
          values, values);
      for (const int first : {0, 2}) {
        check_combinations<std::uint32_t>(
            fmt::format("dp2a.{}.{} d, a, b, c;", first == 0 ? "lo" : "hi", types),
            [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) { return dot(a, 16, b, first, c); },
            values, values, values);
      }
    }
  }
}

TEST_CASE("integer arithmetic with immediates, in place and under a guard") {
  const std::vector<std::int32_t> values{-5, 0, 7};
  CHECK(evaluate<std::int32_t>("add.s32 d, a, -3;", values) == std::vector{-8, -3, 4});
  CHECK(evaluate<std::int32_t>("mov.b32 d, a; mul.lo.s32 d, d, d;", values) == std::vector{25, 0, 49});
  CHECK(evaluate<std::int32_t>("mov.b32 d, a; setp.gt.s32 p, a, 0; @p sub.s32 d, d, 100;", values) ==
        std::vector{-5, 0, -93});
  CHECK(evaluate<std::int64_t>("mad.wide.s32 d, a, 1000000000, -1;", values) ==
        std::vector<std::int64_t>{-5000000001, -1, 6999999999});
}

TEST_CASE("forms of integer arithmetic that PTX does not have are refused") {
  const std::string_view forms[] = {
      "add.sat.u32 r0, r1, r2;",
      "add.sat.s64 l0, l1, l2;",
      "add.b32 r0, r1, r2;",
      "add.sat.s16x2 r0, r1, r2;",
      "add.rn.s32 r0, r1, r2;",
      "add.s32 r0, r1, r2, r3;",
      "add.s32 r0, r1;",
      "add.s32 r0, l1, r2;",
      "add.s64 r0, l1, l2;",
      "sub.u16x2 r0, r1, r2;",
      "mul.s32 r0, r1, r2;",
      "mul.lo.hi.s32 r0, r1, r2;",
      "mul.wide.s64 l0, l1, l2;",
      "mul.wide.s32 r0, r1, r2;",
      "mad.lo.sat.s32 r0, r1, r2, r3;",
      "mad.hi.sat.u32 r0, r1, r2, r3;",
      "mad.wide.s32 l0, r1, r2, r3;",
      "mul24.s32 r0, r1, r2;",
      "mul24.lo.s64 l0, l1, l2;",
      "mad24.lo.sat.s32 r0, r1, r2, r3;",
      "mul24.wide.s32 l0, r1, r2;",
      "div.s16x2 r0, r1, r2;",
      "rem.f32 f0, f1, f2;",
      "abs.u32 r0, r1;",
      "neg.u64 l0, l1;",
      "neg.s16x2 r0, r1;",
      "min.relu.u32 r0, r1, r2;",
      "max.relu.u16x2 r0, r1, r2;",
      "min.relu.s64 l0, l1, l2;",
      "dp2a.s32.s32 r0, r1, r2, r3;",
      "dp4a.s32 r0, r1, r2, r3;",
      "dp4a.s16.s32 r0, r1, r2, r3;",
      "dp4a.lo.s32.s32 r0, r1, r2, r3;",
      "sad.b32 r0, r1, r2, r3;",
      "fma.rn.s32 r0, r1, r2, r3;",
  };
  for (const std::string_view form : forms) check_refused(form);
}

}  // namespace
}  // namespace lathe::tests
