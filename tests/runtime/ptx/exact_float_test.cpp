#include "runtime/ptx/exact_float.h"

#include <cmath>

#include "runtime/ptx/float_arithmetic.h"
#include "tests/runtime/ptx/cpu_rounding.h"
#include "tests/runtime/ptx/float_samples.h"
#include "tests/support/catch.h"

using namespace lathe::runtime::ptx;
using lathe::tests::in_mode;
using lathe::tests::is_same;
using lathe::tests::kDirections;
using lathe::tests::samples;
using lathe::tests::shown;

namespace {

template <class T, class Exact, class Native>
void check_binary(const std::vector<T>& values, Exact exact_of, Native native_of) {
  std::size_t wrong = 0;
  for (const auto& [name, rounding, mode] : kDirections) {
    for (const T& a : values) {
      for (const T& b : values) {
        const T expected = in_mode(mode, native_of, a, b);
        const T got = rounded_value<T>(exact_of(exact_value(a), exact_value(b), rounding), rounding);
        if (is_same(got, expected)) continue;
        if (++wrong < 5) {
          UNSCOPED_INFO(shown(a) << ", " << shown(b) << ", " << name << ": " << shown(got) << ", not "
                                 << shown(expected));
        }
      }
    }
  }
  CHECK(wrong == 0);
}

ExactFloat sum(const ExactFloat& a, const ExactFloat& b, Rounding rounding) {
  return exact_sum(a, b, rounding);
}
ExactFloat product(const ExactFloat& a, const ExactFloat& b, Rounding) {
  return exact_product(a, b);
}
ExactFloat quotient(const ExactFloat& a, const ExactFloat& b, Rounding) {
  return exact_quotient(a, b);
}

template <class T>
void check_operations(std::size_t count) {
  const auto values = samples<T>(count);
  check_binary(values, sum, [](T a, T b) { return a + b; });
  check_binary(values, product, [](T a, T b) { return a * b; });
  check_binary(values, quotient, [](T a, T b) { return a / b; });
}

template <class T>
void check_roots(std::size_t count) {
  std::size_t wrong = 0;
  for (const auto& [name, rounding, mode] : kDirections) {
    for (const T& value : samples<T>(count)) {
      const T expected = in_mode(mode, [](T x) { return std::sqrt(x); }, value);
      if (!is_same(rounded_value<T>(exact_root(exact_value(value)), rounding), expected)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

template <class T>
void check_multiply_add(std::size_t count) {
  const auto values = samples<T>(count);
  std::size_t wrong = 0;
  for (const auto& [name, rounding, mode] : kDirections) {
    for (const T& a : values) {
      for (const T& b : values) {
        for (const T& c : values) {
          const T expected = in_mode(mode, [](T x, T y, T z) { return std::fma(x, y, z); }, a, b, c);
          if (is_same(multiply_add(a, b, c, rounding), expected)) continue;
          if (++wrong < 5) {
            UNSCOPED_INFO(shown(a) << ", " << shown(b) << ", " << shown(c) << ", " << name << ": not "
                                   << shown(expected));
          }
        }
      }
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("exact f32 results round as the CPU's in every direction") {
  check_operations<float>(200);
  check_roots<float>(20000);
  check_multiply_add<float>(20);
}

TEST_CASE("exact f64 results round as the CPU's in every direction") {
  check_operations<double>(200);
  check_roots<double>(20000);
  check_multiply_add<double>(20);
}

TEST_CASE("a sum keeps what is far below it") {
  const ExactFloat one = exact(1.0);
  for (const double small : {0x1p-60, 0x1p-200, 0x1p-1074}) {
    CHECK(rounded_value<double>(exact_sum(one, exact(small), Rounding::up), Rounding::up) == 1 + 0x1p-52);
    CHECK(rounded_value<double>(exact_sum(one, exact(-small), Rounding::down), Rounding::down) ==
          1 - 0x1p-53);
    CHECK(rounded_value<double>(exact_sum(one, exact(-small), Rounding::up), Rounding::up) == 1);
  }
}

TEST_CASE("integers are exact") {
  const ExactFloat large = exact_integer(true, 0x8000000000000001U);
  CHECK(rounded_value<double>(large, Rounding::down) == -0x1.0000000000001p63);
  CHECK(rounded_value<double>(large, Rounding::up) == -0x1p63);
  CHECK(rounded_value<float>(exact_integer(false, 0), Rounding::down) == 0.0F);
}

TEST_CASE("what is too large becomes infinity, the largest value or NaN") {
  const ExactFloat value = exact(1e30);
  CHECK(rounded(value, kF16, Rounding::nearest_even) == 0x7c00);
  CHECK(rounded(value, kF16, Rounding::toward_zero) == 0x7bff);
  CHECK(rounded(value, kF16, Rounding::down) == 0x7bff);
  CHECK(rounded(value, kF16, Rounding::up) == 0x7c00);
  CHECK(rounded(value, kF16, Rounding::nearest_even, Overflow::saturate) == 0x7bff);
  CHECK(rounded(exact(-1e30), kF16, Rounding::down) == 0xfc00);
  CHECK(rounded(exact(-1e30), kF16, Rounding::up) == 0xfbff);
  CHECK(rounded(value, kE4m3, Rounding::nearest_even) == 0x7f);
  CHECK(rounded(value, kE4m3, Rounding::nearest_even, Overflow::saturate) == 0x7e);
  CHECK(rounded(exact(-std::numeric_limits<double>::infinity()), kE5m2, Rounding::nearest_even,
                Overflow::saturate) == 0xfb);
}

TEST_CASE("ties go to even or away from zero") {
  CHECK(rounded(exact(1 + 0x1p-11), kF16, Rounding::nearest_even) == 0x3c00);
  CHECK(rounded(exact(1 + 0x1p-11), kF16, Rounding::nearest_away) == 0x3c01);
  CHECK(rounded(exact(1 + 0x1.8p-10), kF16, Rounding::nearest_even) == 0x3c02);
  CHECK(rounded(exact(-1 - 0x1p-11), kF16, Rounding::nearest_away) == 0xbc01);
}

TEST_CASE("NaN is canonical in each format") {
  const ExactFloat nan = exact(std::numeric_limits<double>::quiet_NaN());
  CHECK(rounded(nan, kF32, Rounding::nearest_even) == 0x7fffffff);
  CHECK(rounded(nan, kF64, Rounding::nearest_even) == 0xfff8000000000000U);
  CHECK(rounded(nan, kF16, Rounding::nearest_even) == 0x7fff);
  CHECK(rounded(nan, kBf16, Rounding::nearest_even) == 0x7fff);
  CHECK(rounded(nan, kE4m3, Rounding::nearest_even, Overflow::saturate) == 0x7f);
  CHECK(rounded(nan, kE5m2, Rounding::nearest_even, Overflow::saturate) == 0x7f);
}
