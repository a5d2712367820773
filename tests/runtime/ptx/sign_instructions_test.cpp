#include "runtime/ptx/sign_instructions.h"

#include <cmath>

#include "tests/runtime/ptx/float_expectation.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;

namespace {

constexpr bool kMin = false;
constexpr bool kMax = true;

/// min or max from comparisons of doubles, which hold every value of the other types.
template <class T>
T chosen(bool is_max, T a, T b) {
  const double x = widened(a);
  const double y = widened(b);
  if (std::isnan(x) && std::isnan(y)) return narrowed<T>(x);
  if (std::isnan(x)) return b;
  if (std::isnan(y)) return a;
  if (x == 0 && y == 0) return (std::signbit(x) != is_max) ? a : b;
  return (x < y) != is_max ? a : b;
}

template <class T>
T with_nan(bool is_max, T a, T b) {
  const double x = widened(a);
  const double y = widened(b);
  return std::isnan(x) || std::isnan(y) ? narrowed<T>(std::nan("")) : chosen(is_max, a, b);
}

template <class T>
T with_signs(bool is_max, T a, T b) {
  const T magnitude = chosen(is_max, narrowed<T>(std::fabs(widened(a))), narrowed<T>(std::fabs(widened(b))));
  const bool a_is_negative = (to_bits(a) & kSignOf<T>) != 0;
  const bool b_is_negative = (to_bits(b) & kSignOf<T>) != 0;
  if (std::isnan(widened(magnitude)) || a_is_negative == b_is_negative) return magnitude;
  return from_bits<T>(to_bits(magnitude) | kSignOf<T>);
}

template <class T>
T flush(T value) {
  const double wide = widened(value);
  const double smallest = std::is_same_v<T, float> ? 0x1p-126 : 0x1p-14;
  return std::fabs(wide) < smallest ? narrowed<T>(std::copysign(0.0, wide)) : value;
}

template <class T>
void check_min_max(const std::string& type) {
  for (const bool is_max : {kMin, kMax}) {
    const std::string name = is_max ? "max" : "min";
    check_binary<T>(name + "." + type, [=](T a, T b) { return chosen(is_max, a, b); });
    if constexpr (!std::is_same_v<T, double>) {
      check_binary<T>(name + ".NaN." + type, [=](T a, T b) { return with_nan(is_max, a, b); });
      check_binary<T>(name + ".xorsign.abs." + type, [=](T a, T b) { return with_signs(is_max, a, b); });
    }
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, F16>) {
      check_binary<T>(name + ".ftz." + type, [=](T a, T b) { return chosen(is_max, flush(a), flush(b)); });
      check_binary<T>(name + ".ftz.NaN." + type,
                      [=](T a, T b) { return with_nan(is_max, flush(a), flush(b)); });
    }
  }
}

template <class T>
T without_sign(T value) {
  return from_bits<T>(to_bits(value) & (kSignOf<T> - 1U));
}
template <class T>
T other_sign(T value) {
  return from_bits<T>(to_bits(value) ^ kSignOf<T>);
}

template <class T>
void check_signs(const std::string& type) {
  check_unary<T>("neg." + type, other_sign<T>);
  check_unary<T>("abs." + type, without_sign<T>);
}

}  // namespace

TEST_CASE("min and max of each floating-point type") {
  check_min_max<float>("f32");
  check_min_max<double>("f64");
  check_min_max<F16>("f16");
  check_min_max<Bf16>("bf16");
}

TEST_CASE("packed min and max") {
  const auto min = [](auto a, auto b) { return chosen(kMin, a, b); };
  const auto max_nan = [](auto a, auto b) { return with_nan(kMax, a, b); };
  check_packed_binary<F16>("min.f16x2", min);
  check_packed_binary<Bf16>("min.bf16x2", min);
  check_packed_binary<F16>("max.NaN.f16x2", max_nan);
  check_packed_binary<Bf16>("max.NaN.bf16x2", max_nan);
  check_packed_binary<F16>("min.ftz.xorsign.abs.f16x2",
                           [](F16 a, F16 b) { return with_signs(kMin, flush(a), flush(b)); });
}

TEST_CASE("min and max of three") {
  const auto absolute_value = [](float value) { return std::fabs(value); };
  check_ternary<float>("min.f32",
                       [](float a, float b, float c) { return chosen(kMin, chosen(kMin, a, b), c); });
  check_ternary<float>("max.NaN.f32",
                       [](float a, float b, float c) { return with_nan(kMax, with_nan(kMax, a, b), c); });
  check_ternary<float>("max.ftz.abs.f32", [=](float a, float b, float c) {
    const float pair = chosen(kMax, absolute_value(flush(a)), absolute_value(flush(b)));
    return chosen(kMax, pair, absolute_value(flush(c)));
  });
}

TEST_CASE("neg and abs change only the sign") {
  check_signs<float>("f32");
  check_signs<double>("f64");
  check_signs<F16>("f16");
  check_signs<Bf16>("bf16");
  check_unary<float>("neg.ftz.f32", [](float a) { return other_sign(flush(a)); });
  check_unary<float>("abs.ftz.f32", [](float a) { return without_sign(flush(a)); });
  check_unary<F16>("abs.ftz.f16", [](F16 a) { return without_sign(flush(a)); });
  const std::vector<std::uint32_t> pairs{0x3c008001, 0x80007fff};
  CHECK(evaluate<std::uint32_t>("neg.f16x2 d, a;", pairs) ==
        std::vector<std::uint32_t>{0xbc000001, 0x0000ffff});
  CHECK(evaluate<std::uint32_t>("abs.bf16x2 d, a;", pairs) ==
        std::vector<std::uint32_t>{0x3c000001, 0x00007fff});
  CHECK(evaluate<std::uint32_t>("neg.ftz.f16x2 d, a;", pairs) ==
        std::vector<std::uint32_t>{0xbc000000, 0x0000ffff});
}

TEST_CASE("copysign takes the sign of the first operand and the magnitude of the second") {
  check_binary<float>("copysign.f32", [](float a, float b) { return std::copysign(b, a); });
  check_binary<double>("copysign.f64", [](double a, double b) { return std::copysign(b, a); });
}

TEST_CASE("forms of min, max, neg, abs and copysign that PTX does not have are refused") {
  for (const char* instruction :
       {"min.NaN.f64 g0, g1, g2", "max.ftz.f64 g0, g1, g2", "min.ftz.bf16 h0, h1, h2",
        "min.abs.f32 f0, f1, f2", "min.xorsign.f32 f0, f1, f2", "min.xorsign.abs.f32 f0, f1, f2, f3",
        "min.f64 g0, g1, g2, g3", "min.relu.f16 h0, h1, h2", "min.f32x2 l0, l1, l2", "neg.ftz.bf16 h0, h1",
        "abs.ftz.f64 g0, g1", "neg.f32x2 l0, l1", "copysign.f16 h0, h1, h2", "copysign.ftz.f32 f0, f1, f2"}) {
    check_refused(instruction);
  }
}
