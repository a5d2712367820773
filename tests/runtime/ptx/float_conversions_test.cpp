// cvt between floats, one at a time.
#include "runtime/ptx/conversions.h"

#include <cmath>

#include "tests/runtime/ptx/cpu_rounding.h"
#include "tests/runtime/ptx/float_expectation.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;

namespace {

float flush(float value) {
  return std::fabs(value) < 0x1p-126F ? std::copysign(0.0F, value) : value;
}

/// cvt.<modifiers>.<types> of samples, against a function.
template <class To, class From, class Expected>
void check_conversion(const std::string& instruction, Expected expected) {
  auto operands = samples<From>(600);
  for (const double value :
       {0.5, 1.5, 2.5, -0.5, -1.5, 65519.9, 65520.0, 1e-7, 0x1.fffffep-127, 3e38, 3.5e38}) {
    operands.push_back(narrowed<From>(value));
  }
  check_results<To>("cvt." + instruction + " d, a;", expected, operands);
}

double double_of(auto value) {
  return widened(value);
}

}  // namespace

TEST_CASE("cvt to a wider float is exact") {
  const auto to_float = [](auto value) { return narrowed<float>(widened(value)); };
  const auto to_double = [](auto value) { return narrowed<double>(widened(value)); };
  check_conversion<float, F16>("f32.f16", to_float);
  check_conversion<float, Bf16>("f32.bf16", to_float);
  check_conversion<float, Bf16>("rn.f32.bf16", to_float);
  check_conversion<double, F16>("f64.f16", to_double);
  check_conversion<double, Bf16>("f64.bf16", to_double);
  check_conversion<double, float>("f64.f32", to_double);
  check_conversion<double, float>("ftz.f64.f32", [&](float value) { return to_double(flush(value)); });
  check_conversion<float, Bf16>("ftz.f32.bf16", [&](Bf16 value) { return flush(to_float(value)); });
}

TEST_CASE("cvt to a narrower float rounds in each direction") {
  for (const auto& [name, rounding, mode] : kDirections) {
    check_conversion<float, double>(fmt::format("{}.f32.f64", name), [mode = mode](double value) {
      const float result = in_mode(mode, [](double x) { return static_cast<float>(x); }, value);
      return std::isnan(result) ? float_nan() : result;
    });
    const auto to_f16 = [rounding = rounding](auto value) {
      return F16{double_to_f16(widened(value), rounding)};
    };
    const auto to_bf16 = [rounding = rounding](auto value) {
      return Bf16{double_to_bf16(widened(value), rounding)};
    };
    check_conversion<F16, float>(fmt::format("{}.f16.f32", name), to_f16);
    check_conversion<F16, double>(fmt::format("{}.f16.f64", name), to_f16);
    check_conversion<F16, Bf16>(fmt::format("{}.f16.bf16", name), to_f16);
    check_conversion<Bf16, float>(fmt::format("{}.bf16.f32", name), to_bf16);
    check_conversion<Bf16, double>(fmt::format("{}.bf16.f64", name), to_bf16);
    check_conversion<Bf16, F16>(fmt::format("{}.bf16.f16", name), to_bf16);
    check_conversion<F16, float>(fmt::format("{}.ftz.f16.f32", name),
                                 [&](float value) { return to_f16(flush(value)); });
    check_conversion<Bf16, float>(fmt::format("{}.ftz.bf16.f32", name),
                                  [&](float value) { return to_bf16(flush(value)); });
  }
  check_conversion<Bf16, F16>("bf16.f16", [](F16 value) { return Bf16{double_to_bf16(widened(value))}; });
}

TEST_CASE("cvt.ftz flushes subnormal results") {
  const std::vector<double> values{0x1p-130, -0x1p-130, 0x1p-126};
  CHECK(evaluate<float>("cvt.rn.f32.f64 d, a;", values) ==
        std::vector<float>{0x1p-130F, -0x1p-130F, 0x1p-126F});
  const auto flushed = evaluate<std::uint32_t>("cvt.rn.ftz.f32.f64 f0, a;\nmov.b32 d, f0;", values);
  CHECK(flushed == std::vector<std::uint32_t>{0, 0x80000000, 0x00800000});
}

TEST_CASE("cvt of one type to itself rounds to integers, or keeps the value") {
  const auto keep = [](auto value) { return canonical(value); };
  check_conversion<float, float>("f32.f32", keep);
  check_conversion<double, double>("f64.f64", keep);
  check_conversion<F16, F16>("f16.f16", keep);
  check_conversion<Bf16, Bf16>("bf16.bf16", keep);
  check_conversion<float, float>("ftz.f32.f32", [](float value) { return canonical(flush(value)); });
  const auto nearest = [](auto value) { return narrowed<decltype(value)>(std::nearbyint(widened(value))); };
  const auto toward_zero = [](auto value) { return narrowed<decltype(value)>(std::trunc(widened(value))); };
  const auto down = [](auto value) { return narrowed<decltype(value)>(std::floor(widened(value))); };
  const auto up = [](auto value) { return narrowed<decltype(value)>(std::ceil(widened(value))); };
  check_conversion<float, float>("rni.f32.f32", nearest);
  check_conversion<float, float>("rzi.f32.f32", toward_zero);
  check_conversion<float, float>("rmi.f32.f32", down);
  check_conversion<float, float>("rpi.f32.f32", up);
  check_conversion<float, float>("rpi.ftz.f32.f32", [&](float value) { return up(flush(value)); });
  check_conversion<double, double>("rni.f64.f64", nearest);
  check_conversion<double, double>("rmi.f64.f64", down);
  check_conversion<F16, F16>("rni.f16.f16", nearest);
  check_conversion<F16, F16>("rpi.f16.f16", up);
  check_conversion<Bf16, Bf16>("rzi.bf16.bf16", toward_zero);
}

TEST_CASE("cvt.sat clamps to [0, 1], and NaN becomes 0") {
  const auto clamp = [](double value) { return value > 0 ? std::min(value, 1.0) : 0.0; };
  check_conversion<float, float>("sat.f32.f32",
                                 [&](float value) { return narrowed<float>(clamp(double_of(value))); });
  check_conversion<float, double>("rn.sat.f32.f64",
                                  [&](double value) { return narrowed<float>(clamp(value)); });
  check_conversion<F16, float>("rz.sat.f16.f32", [&](float value) {
    return F16{double_to_f16(clamp(double_of(value)), Rounding::toward_zero)};
  });
  check_conversion<double, F16>("sat.f64.f16", [&](F16 value) { return clamp(double_of(value)); });
  check_conversion<F16, F16>(
      "rni.sat.f16.f16", [&](F16 value) { return narrowed<F16>(clamp(std::nearbyint(double_of(value)))); });
}

TEST_CASE("cvt.relu and .satfinite of f32 to halves") {
  const auto positive = [](float value) { return value < 0 || value == 0 ? 0.0F : value; };
  check_conversion<F16, float>("rn.relu.f16.f32",
                               [&](float value) { return F16{float_to_f16(positive(value))}; });
  check_conversion<Bf16, float>("rz.relu.bf16.f32", [&](float value) {
    return Bf16{float_to_bf16(positive(value), Rounding::toward_zero)};
  });
  check_conversion<F16, float>("rn.satfinite.f16.f32", [](float value) {
    if (std::isnan(value)) return F16{kHalfNan};
    return F16{float_to_f16(std::max(-65504.0F, std::min(value, 65504.0F)))};
  });
  check_conversion<Bf16, float>("rn.relu.satfinite.bf16.f32", [&](float value) {
    if (std::isnan(value)) return Bf16{kHalfNan};
    return Bf16{float_to_bf16(std::min(positive(value), 0x1.fep127F))};
  });
}

TEST_CASE("floats in wider registers") {
  const std::vector<std::uint64_t> wide{0xffffffff3fc00000};  // 1.5 below
  CHECK(evaluate<std::uint64_t>("cvt.rn.f16.f32 d, a;", wide)[0] == 0x3e00);
  CHECK(evaluate<std::uint64_t>("cvt.f32.f32 d, a;", wide)[0] == 0x3fc00000);
  CHECK(evaluate<std::uint32_t>("cvt.f32.f16 d, a;", std::vector<std::uint32_t>{0xffffbe00})[0] ==
        0xbfc00000);
  CHECK(evaluate<std::uint32_t>("cvt.f16.f16 d, a;", std::vector<std::uint32_t>{0xffffbe00})[0] == 0xbe00);
}

TEST_CASE("immediates are converted") {
  CHECK(evaluate<double>("cvt.f64.f32 d, 0f3fc00000;", std::vector<float>{0})[0] == 1.5);
  CHECK(evaluate<float>("cvt.rn.f32.s32 d, -7;", std::vector<float>{0})[0] == -7);
}

TEST_CASE("forms of cvt between floats that PTX does not have are refused") {
  for (const char* instruction : {"cvt.f16.f32 h0, f0",
                                  "cvt.f32.f64 f0, g0",
                                  "cvt.rn.f32.f16 f0, h0",
                                  "cvt.rn.f64.f32 g0, f0",
                                  "cvt.rn.f32.f32 f0, f1",
                                  "cvt.rni.f32.f64 f0, g0",
                                  "cvt.ftz.f64.f64 g0, g1",
                                  "cvt.rn.ftz.f16.f64 h0, g0",
                                  "cvt.rn.sat.bf16.f32 h0, f0",
                                  "cvt.sat.f32.bf16 f0, h0",
                                  "cvt.rm.relu.f16.f32 h0, f0",
                                  "cvt.rp.satfinite.f16.f32 h0, f0",
                                  "cvt.rn.ftz.relu.f16.f32 h0, f0",
                                  "cvt.rn.sat.relu.f16.f32 h0, f0",
                                  "cvt.rn.relu.f16.f64 h0, g0",
                                  "cvt.rn.relu.f32.f64 f0, g0",
                                  "cvt.rs.f16.f32 h0, f0",
                                  "cvt.rna.f16.f32 h0, f0",
                                  "cvt.rn.bf16.f32 r0, f0",
                                  "cvt.f32.bf16 f0, r0"}) {
    check_refused(instruction);
  }
}
