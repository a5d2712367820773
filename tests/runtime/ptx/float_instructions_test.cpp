#include "runtime/ptx/float_instructions.h"

#include <cmath>

#include "runtime/ptx/float_arithmetic.h"
#include "tests/runtime/ptx/cpu_rounding.h"
#include "tests/runtime/ptx/float_expectation.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;

namespace {

// Expected modifications, spelled out for each type's bits.

float flush(float value) {
  return std::fabs(value) < 0x1p-126F ? std::copysign(0.0F, value) : value;
}
F16 flush(F16 value) {
  return (value.bits & 0x7c00) == 0 ? F16{static_cast<std::uint16_t>(value.bits & 0x8000)} : value;
}
float saturate(float value) {
  return std::isnan(value) || value <= 0 ? 0.0F : std::min(value, 1.0F);
}
F16 saturate(F16 value) {
  const bool is_above_one = value.bits >= 0x3c00 && value.bits <= 0x7c00;
  const bool is_between = value.bits < 0x3c00;
  return is_above_one ? F16{0x3c00} : is_between ? value : F16{0};
}
template <class T>
T relu(T value) {
  return value.bits == 0x7fff || value.bits < 0x8000 ? value : T{0};
}

float canonical_nan(float value) {
  return std::isnan(value) ? std::bit_cast<float>(0x7fffffffU) : value;
}
double canonical_nan(double value) {
  return std::isnan(value) ? std::bit_cast<double>(0xfff8000000000000U) : value;
}

const auto kPlus = [](auto a, auto b) { return a + b; };
const auto kMinus = [](auto a, auto b) { return a - b; };
const auto kTimes = [](auto a, auto b) { return a * b; };
const auto kOver = [](auto a, auto b) { return a / b; };
const auto kFused = [](auto a, auto b, auto c) { return std::fma(a, b, c); };

/// The CPU's result of a native type.
template <class Compute>
auto in_direction(int mode, Compute compute) {
  return [=](auto... operands) { return canonical_nan(in_mode(mode, compute, operands...)); };
}
template <class Compute>
auto nearest(Compute compute) {
  return in_direction(FE_TONEAREST, compute);
}
template <class Compute>
auto with_flushing(Compute compute) {
  return [=](auto... operands) { return flush(compute(flush(operands)...)); };
}
template <class Compute>
auto with_saturation(Compute compute) {
  return [=](auto... operands) { return saturate(compute(operands...)); };
}
template <class Compute>
auto with_relu(Compute compute) {
  return [=](auto... operands) { return relu(compute(operands...)); };
}

/// a * b + c of halves, through integers.
const auto kHalfFused = []<class T>(T a, T b, T c) {
  const ExactFloat product = exact_product(exact_value(a), exact_value(b));
  constexpr auto kNearest = Rounding::nearest_even;
  return rounded_value<T>(exact_sum(product, exact_value(c), kNearest), kNearest);
};
const auto kHalfPlus = []<class T>(T a, T b) { return kHalfFused(a, narrowed<T>(1), b); };
const auto kHalfMinus = []<class T>(T a, T b) { return kHalfFused(b, narrowed<T>(-1), a); };
const auto kHalfTimes = []<class T>(T a, T b) {
  return rounded_value<T>(exact_product(exact_value(a), exact_value(b)), Rounding::nearest_even);
};

}  // namespace

TEST_CASE("add, sub and mul of f32 and f64 round in each direction") {
  for (const auto& [name, rounding, mode] : kDirections) {
    check_binary<float>(fmt::format("add.{}.f32", name), in_direction(mode, kPlus));
    check_binary<float>(fmt::format("sub.{}.f32", name), in_direction(mode, kMinus));
    check_binary<float>(fmt::format("mul.{}.f32", name), in_direction(mode, kTimes));
    check_binary<double>(fmt::format("add.{}.f64", name), in_direction(mode, kPlus));
    check_binary<double>(fmt::format("sub.{}.f64", name), in_direction(mode, kMinus));
    check_binary<double>(fmt::format("mul.{}.f64", name), in_direction(mode, kTimes));
  }
  check_binary<float>("add.f32", nearest(kPlus));
  check_binary<float>("sub.f32", nearest(kMinus));
  check_binary<float>("mul.f32", nearest(kTimes));
  check_binary<double>("mul.f64", nearest(kTimes));
}

TEST_CASE("fma and mad of f32 and f64 round once, in each direction") {
  for (const auto& [name, rounding, mode] : kDirections) {
    check_ternary<float>(fmt::format("fma.{}.f32", name), in_direction(mode, kFused));
    check_ternary<double>(fmt::format("fma.{}.f64", name), in_direction(mode, kFused));
    check_ternary<float>(fmt::format("mad.{}.f32", name), in_direction(mode, kFused));
    check_ternary<double>(fmt::format("mad.{}.f64", name), in_direction(mode, kFused));
  }
}

TEST_CASE("div, rcp and sqrt of f32 and f64 round in each direction") {
  const auto inverse = [](auto a) { return 1 / a; };
  const auto root = [](auto a) { return std::sqrt(a); };
  for (const auto& [name, rounding, mode] : kDirections) {
    check_binary<float>(fmt::format("div.{}.f32", name), in_direction(mode, kOver));
    check_binary<double>(fmt::format("div.{}.f64", name), in_direction(mode, kOver));
    check_unary<float>(fmt::format("rcp.{}.f32", name), in_direction(mode, inverse));
    check_unary<double>(fmt::format("rcp.{}.f64", name), in_direction(mode, inverse));
    check_unary<float>(fmt::format("sqrt.{}.f32", name), in_direction(mode, root));
    check_unary<double>(fmt::format("sqrt.{}.f64", name), in_direction(mode, root));
  }
  check_binary<float>("div.rn.ftz.f32", with_flushing(nearest(kOver)));
  check_unary<float>("rcp.rz.ftz.f32", with_flushing(in_direction(FE_TOWARDZERO, inverse)));
  check_unary<float>("sqrt.rn.ftz.f32", with_flushing(nearest(root)));
}

TEST_CASE("f32 is flushed by .ftz and clamped by .sat") {
  check_binary<float>("add.ftz.f32", with_flushing(nearest(kPlus)));
  check_binary<float>("sub.rm.ftz.f32", with_flushing(in_direction(FE_DOWNWARD, kMinus)));
  check_binary<float>("mul.rn.ftz.f32", with_flushing(nearest(kTimes)));
  check_ternary<float>("fma.rn.ftz.f32", with_flushing(nearest(kFused)));
  check_binary<float>("add.sat.f32", with_saturation(nearest(kPlus)));
  check_binary<float>("mul.rz.ftz.sat.f32",
                      with_saturation(with_flushing(in_direction(FE_TOWARDZERO, kTimes))));
  check_ternary<float>("fma.rn.sat.f32", with_saturation(nearest(kFused)));
  check_ternary<float>("mad.rn.ftz.sat.f32", with_saturation(with_flushing(nearest(kFused))));
}

TEST_CASE("arithmetic of f16") {
  check_binary<F16>("add.f16", kHalfPlus);
  check_binary<F16>("sub.rn.f16", kHalfMinus);
  check_binary<F16>("mul.f16", kHalfTimes);
  check_ternary<F16>("fma.rn.f16", kHalfFused);
  check_binary<F16>("add.ftz.f16", with_flushing(kHalfPlus));
  check_binary<F16>("mul.rn.ftz.sat.f16", with_saturation(with_flushing(kHalfTimes)));
  check_binary<F16>("sub.sat.f16", with_saturation(kHalfMinus));
  check_ternary<F16>("fma.rn.sat.f16", with_saturation(kHalfFused));
  check_ternary<F16>("fma.rn.relu.f16", with_relu(kHalfFused));
  check_ternary<F16>("fma.rn.ftz.relu.f16", with_relu(with_flushing(kHalfFused)));
}

TEST_CASE("arithmetic of bf16") {
  check_binary<Bf16>("add.bf16", kHalfPlus);
  check_binary<Bf16>("sub.rn.bf16", kHalfMinus);
  check_binary<Bf16>("mul.bf16", kHalfTimes);
  check_ternary<Bf16>("fma.rn.bf16", kHalfFused);
  check_ternary<Bf16>("fma.rn.relu.bf16", with_relu(kHalfFused));
}

TEST_CASE("packed arithmetic does the same to both halves") {
  check_packed_binary<F16>("add.f16x2", kHalfPlus);
  check_packed_binary<F16>("sub.ftz.f16x2", with_flushing(kHalfMinus));
  check_packed_binary<F16>("mul.rn.sat.f16x2", with_saturation(kHalfTimes));
  check_packed_binary<Bf16>("add.rn.bf16x2", kHalfPlus);
  check_packed_binary<Bf16>("sub.bf16x2", kHalfMinus);
  check_packed_binary<Bf16>("mul.bf16x2", kHalfTimes);
  check_packed_binary<float>("add.f32x2", nearest(kPlus));
  check_packed_binary<float>("mul.rz.f32x2", in_direction(FE_TOWARDZERO, kTimes));
  check_packed_binary<float>("sub.ftz.f32x2", with_flushing(nearest(kMinus)));
}

TEST_CASE("packed fma does the same to both halves") {
  const Pair<Bf16> a{{0x3f80}, {0x4000}};
  const Pair<Bf16> b{{0x4040}, {0xc040}};
  const Pair<Bf16> c{{0x3f80}, {0x3f80}};
  const auto result =
      evaluate<Pair<Bf16>>("fma.rn.bf16x2 d, a, b, c;", std::vector{a}, std::vector{b}, std::vector{c});
  CHECK(result[0].low.bits == 0x4080);   // 1 * 3 + 1
  CHECK(result[0].high.bits == 0xc0a0);  // 2 * -3 + 1
  const auto clamped =
      evaluate<Pair<Bf16>>("fma.rn.relu.bf16x2 d, a, b, c;", std::vector{a}, std::vector{b}, std::vector{c});
  CHECK(clamped[0].low.bits == 0x4080);
  CHECK(clamped[0].high.bits == 0);
  const Pair<float> x{3, 5};
  const auto floats = evaluate<Pair<float>>("fma.rn.f32x2 d, a, a, a;", std::vector{x});
  CHECK(floats[0].low == 12);
  CHECK(floats[0].high == 30);
}

TEST_CASE("operands may be immediates") {
  CHECK(evaluate<float>("add.f32 d, a, 0f40200000;", std::vector{1.0F})[0] == 3.5F);
  CHECK(evaluate<float>("mul.f32 d, a, 2.5;", std::vector{2.0F})[0] == 5);
  CHECK(evaluate<double>("fma.rn.f64 d, a, 0d4000000000000000, 1.0;", std::vector{2.0})[0] == 5);
}

TEST_CASE("forms of arithmetic that PTX does not have are refused") {
  for (const char* instruction : {"fma.f32 f0, f1, f2, f3",
                                  "mad.f32 f0, f1, f2, f3",
                                  "div.f32 f0, f1, f2",
                                  "rcp.f32 f0, f1",
                                  "sqrt.f32 f0, f1",
                                  "add.ftz.f64 g0, g1, g2",
                                  "add.sat.f64 g0, g1, g2",
                                  "add.rz.f16 h0, h1, h2",
                                  "add.ftz.bf16 h0, h1, h2",
                                  "mul.sat.bf16x2 r0, r1, r2",
                                  "add.sat.f32x2 l0, l1, l2",
                                  "add.relu.f16 h0, h1, h2",
                                  "fma.rn.relu.f32 f0, f1, f2, f3",
                                  "fma.rn.sat.relu.f16 h0, h1, h2, h3",
                                  "fma.rn.oob.f16 h0, h1, h2, h3",
                                  "mad.rn.f16 h0, h1, h2, h3",
                                  "div.rn.f16 h0, h1, h2",
                                  "rcp.rn.ftz.f64 g0, g1",
                                  "sqrt.rn.sat.f32 f0, f1",
                                  "add.rna.f32 f0, f1, f2",
                                  "add.f32 f0, f1",
                                  "add.f32 f0, f1, f2, f3",
                                  "add.f16 h0, h1, f2",
                                  "fma.rn.f32x2 f0, f1, f2, f3"}) {
    check_refused(instruction);
  }
}
