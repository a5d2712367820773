#include "runtime/ptx/float_arithmetic.h"

#include "tests/runtime/ptx/float_samples.h"
#include "tests/support/catch.h"

using namespace lathe::runtime::ptx;
using lathe::tests::is_same;
using lathe::tests::samples;
using lathe::tests::shown;

namespace {

constexpr auto kNearest = Rounding::nearest_even;

template <class T>
T half(float value) {
  return narrowed<T>(double{value});
}

template <class T>
void note(std::size_t& wrong, T got, T expected, const std::string& operands) {
  if (is_same(got, expected)) return;
  if (++wrong < 5) UNSCOPED_INFO(operands << ": " << shown(got) << ", not " << shown(expected));
}

/// The way through double against the one through integers.
template <class T>
void check_halves(std::size_t count) {
  const auto values = samples<T>(count);
  std::size_t wrong = 0;
  for (const T& a : values) {
    const ExactFloat x = exact_value(a);
    for (const T& b : values) {
      const ExactFloat y = exact_value(b);
      const std::string operands = shown(a) + ", " + shown(b);
      note(wrong, add(a, b, kNearest), rounded_value<T>(exact_sum(x, y, kNearest), kNearest), operands);
      note(wrong, subtract(a, b, kNearest), add(a, negated(b), kNearest), operands);
      note(wrong, multiply(a, b, kNearest), rounded_value<T>(exact_product(x, y), kNearest), operands);
    }
  }
  CHECK(wrong == 0);
  for (const T& a : samples<T>(30, 2)) {
    for (const T& b : samples<T>(30, 3)) {
      const ExactFloat product = exact_product(exact_value(a), exact_value(b));
      for (const T& c : samples<T>(30, 4)) {
        const T expected = rounded_value<T>(exact_sum(product, exact_value(c), kNearest), kNearest);
        note(wrong, multiply_add(a, b, c, kNearest), expected, shown(a) + ", " + shown(b) + ", " + shown(c));
      }
    }
  }
  CHECK(wrong == 0);
}

constexpr ExtremumRule kMin{};
constexpr ExtremumRule kMax{.is_max = true};

}  // namespace

TEST_CASE("arithmetic of halves rounds once") {
  check_halves<F16>(120);
  check_halves<Bf16>(120);
  // 1.5 + 4.5 * 2^-7: a tie but for an addend far below what double holds.
  const Bf16 a = half<Bf16>(1 + 0x3p-7F);
  CHECK(multiply_add(a, half<Bf16>(1.5F), Bf16{0}, kNearest).bits == 0x3fc4);
  CHECK(multiply_add(a, half<Bf16>(1.5F), Bf16{1}, kNearest).bits == 0x3fc5);
}

TEST_CASE("results that are NaN are canonical") {
  const float nan = from_bits<float>(0xffc12345);
  CHECK(to_bits(add(nan, 1.0F, kNearest)) == 0x7fffffff);
  CHECK(to_bits(add(nan, 1.0F, Rounding::up)) == 0x7fffffff);
  CHECK(to_bits(multiply(0.0F, std::numeric_limits<float>::infinity(), kNearest)) == 0x7fffffff);
  CHECK(to_bits(divide(0.0F, 0.0F, kNearest)) == 0x7fffffff);
  CHECK(to_bits(square_root(-1.0F, kNearest)) == 0x7fffffff);
  CHECK(to_bits(multiply_add(nan, 1.0F, 1.0F, kNearest)) == 0x7fffffff);
  CHECK(to_bits(divide(0.0, 0.0, kNearest)) == 0xfff8000000000000U);
  CHECK(add(F16{0xfe01}, F16{0}, kNearest).bits == 0x7fff);
  CHECK(multiply(Bf16{0x7f80}, Bf16{0}, kNearest).bits == 0x7fff);
}

TEST_CASE("a difference of nothing is a zero whose sign the direction gives") {
  CHECK(to_bits(add(1.0F, -1.0F, kNearest)) == 0);
  CHECK(to_bits(add(1.0F, -1.0F, Rounding::down)) == 0x80000000);
  CHECK(to_bits(add(-0.0F, -0.0F, kNearest)) == 0x80000000);
  CHECK(add(half<F16>(1), half<F16>(-1), kNearest).bits == 0);
}

TEST_CASE("subnormal values are flushed to the zero of their sign") {
  CHECK(to_bits(flushed(from_bits<float>(0x807fffff))) == 0x80000000);
  CHECK(to_bits(flushed(from_bits<float>(0x00800000))) == 0x00800000);
  CHECK(flushed(F16{0x03ff}).bits == 0);
  CHECK(flushed(F16{0x8400}).bits == 0x8400);
}

TEST_CASE("clamping") {
  const float nan = float_nan();
  CHECK(to_bits(clamped(nan, Clamp::unit)) == 0);
  CHECK(to_bits(clamped(-0.0F, Clamp::unit)) == 0);
  CHECK(clamped(-3.0F, Clamp::unit) == 0);
  CHECK(clamped(0.25F, Clamp::unit) == 0.25F);
  CHECK(clamped(1.5F, Clamp::unit) == 1);
  CHECK(clamped(F16{0x7c00}, Clamp::unit).bits == 0x3c00);
  CHECK(clamped(Bf16{0x7fff}, Clamp::nonnegative).bits == 0x7fff);
  CHECK(clamped(Bf16{0xbf80}, Clamp::nonnegative).bits == 0);
  CHECK(clamped(Bf16{0x8000}, Clamp::nonnegative).bits == 0);
  CHECK(clamped(-2.0F, Clamp::none) == -2);
}

TEST_CASE("minimum and maximum") {
  const float nan = from_bits<float>(0xff812345);
  CHECK(extremum(1.0F, 2.0F, kMin) == 1);
  CHECK(extremum(1.0F, 2.0F, kMax) == 2);
  CHECK(extremum(-1.0F, -2.0F, kMin) == -2);
  CHECK(to_bits(extremum(0.0F, -0.0F, kMin)) == 0x80000000);
  CHECK(to_bits(extremum(-0.0F, 0.0F, kMin)) == 0x80000000);
  CHECK(to_bits(extremum(-0.0F, 0.0F, kMax)) == 0);
  CHECK(extremum(nan, 2.0F, kMin) == 2);
  CHECK(extremum(2.0F, nan, kMax) == 2);
  CHECK(to_bits(extremum(nan, nan, kMin)) == 0x7fffffff);
  CHECK(to_bits(extremum(nan, 2.0F, {.propagates_nan = true})) == 0x7fffffff);
  CHECK(to_bits(extremum(2.0F, nan, {.propagates_nan = true})) == 0x7fffffff);
  CHECK(to_bits(extremum(from_bits<float>(0x80000001), 0.0F, {.is_max = true, .flushes = true})) == 0);
}

TEST_CASE("minimum of magnitudes with the product of signs") {
  const ExtremumRule signed_min{.of_magnitudes = true, .multiplies_signs = true};
  CHECK(extremum(-3.0F, 2.0F, signed_min) == -2);
  CHECK(extremum(-3.0F, -2.0F, signed_min) == 2);
  CHECK(extremum(3.0F, 4.0F, signed_min) == 3);
  CHECK(extremum(float_nan(), -2.0F, signed_min) == -2);
  CHECK(extremum(-3.0F, 2.0F, {.of_magnitudes = true}) == 2);
}
