#include "runtime/ptx/approximations.h"

#include <cmath>
#include <limits>

#include "tests/runtime/ptx/float_expectation.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kSubnormal = 0x1p-130F;
const float kNan = float_nan();

/// One row of the ISA's table of special operands.
struct Special {
  float operand;
  float result;
};

void check_specials(const std::string& instruction, const std::vector<Special>& rows) {
  std::vector<float> operands;
  for (const Special& row : rows) operands.push_back(row.operand);
  const auto results = evaluate<float>(instruction + " d, a;", operands);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    INFO(instruction << " " << shown(operands[i]));
    CHECK(shown(results[i]) == shown(rows[i].result));
  }
}

/// Results lie within the ISA's error: relative, or absolute if that is less.
template <class Reference>
void check_error(const std::string& instruction, Reference reference, float low, float high, double relative,
                 double absolute = 0) {
  std::vector<float> operands;
  for (int i = 0; i < 5000; ++i) operands.push_back(low + (high - low) * static_cast<float>(i) / 5000);
  const auto results = evaluate<float>(instruction + " d, a;", operands);
  double worst = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const long double exact = reference(static_cast<long double>(operands[i]));
    const long double error = std::fabs(static_cast<long double>(results[i]) - exact);
    const long double allowed = std::max<long double>(relative * std::fabs(exact), absolute);
    worst = std::max(worst, static_cast<double>(error / allowed));
  }
  INFO(instruction);
  CHECK(worst <= 1);
}

}  // namespace

TEST_CASE("special operands of rcp, sqrt and rsqrt .approx") {
  check_specials("rcp.approx.f32", {{-kInf, -0.0F},
                                    {-0.0F, -kInf},
                                    {0.0F, kInf},
                                    {kInf, 0.0F},
                                    {kNan, kNan},
                                    {0x1p127F, 0x1p-127F},
                                    {0x1p-127F, 0x1p127F},
                                    {kSubnormal, kInf}});
  check_specials("rcp.approx.ftz.f32", {{-kInf, -0.0F},
                                        {-kSubnormal, -kInf},
                                        {-0.0F, -kInf},
                                        {0.0F, kInf},
                                        {kSubnormal, kInf},
                                        {kInf, 0.0F},
                                        {kNan, kNan},
                                        {-0x1p127F, -0.0F}});
  check_specials("sqrt.approx.f32", {{-kInf, kNan},
                                     {-1.0F, kNan},
                                     {-0.0F, -0.0F},
                                     {0.0F, 0.0F},
                                     {kInf, kInf},
                                     {kNan, kNan},
                                     {-kSubnormal, kNan},
                                     {0x1p-130F, 0x1p-65F}});
  check_specials("sqrt.approx.ftz.f32", {{-kSubnormal, -0.0F}, {kSubnormal, 0.0F}, {kInf, kInf}});
  check_specials("rsqrt.approx.f32", {{-kInf, kNan},
                                      {-1.0F, kNan},
                                      {-0.0F, -kInf},
                                      {0.0F, kInf},
                                      {kInf, 0.0F},
                                      {kNan, kNan},
                                      {0x1p-130F, 0x1p65F}});
  check_specials("rsqrt.approx.ftz.f32", {{-kSubnormal, -kInf}, {kSubnormal, kInf}});
}

TEST_CASE("special operands of sin, cos, lg2, ex2 and tanh") {
  check_specials(
      "sin.approx.f32",
      {{-kInf, kNan}, {kInf, kNan}, {kNan, kNan}, {-0.0F, -0.0F}, {0.0F, 0.0F}, {kSubnormal, kSubnormal}});
  check_specials("sin.approx.ftz.f32", {{-kSubnormal, -0.0F}, {kSubnormal, 0.0F}});
  check_specials(
      "cos.approx.f32",
      {{-kInf, kNan}, {kInf, kNan}, {kNan, kNan}, {-0.0F, 1.0F}, {0.0F, 1.0F}, {-kSubnormal, 1.0F}});
  check_specials("cos.approx.ftz.f32", {{kSubnormal, 1.0F}});
  check_specials("lg2.approx.f32", {{-kInf, kNan},
                                    {-1.0F, kNan},
                                    {-0.0F, -kInf},
                                    {0.0F, -kInf},
                                    {1.0F, 0.0F},
                                    {8.0F, 3.0F},
                                    {kInf, kInf},
                                    {kNan, kNan},
                                    {0x1p-130F, -130.0F}});
  check_specials("lg2.approx.ftz.f32", {{-kSubnormal, -kInf}, {kSubnormal, -kInf}});
  check_specials("ex2.approx.f32", {{-kInf, 0.0F},
                                    {-0.0F, 1.0F},
                                    {0.0F, 1.0F},
                                    {kInf, kInf},
                                    {kNan, kNan},
                                    {-130.0F, 0x1p-130F},
                                    {128.0F, kInf},
                                    {-kSubnormal, 1.0F},
                                    {-1e30F, 0.0F}});
  check_specials("ex2.approx.ftz.f32", {{-130.0F, 0.0F}, {kSubnormal, 1.0F}, {3.0F, 8.0F}});
  check_specials(
      "tanh.approx.f32",
      {{-kInf, -1.0F}, {-0.0F, -0.0F}, {0.0F, 0.0F}, {kInf, 1.0F}, {kNan, kNan}, {kSubnormal, kSubnormal}});
}

TEST_CASE("approximations lie within the errors of the ISA") {
  using Real = long double;
  check_error("rcp.approx.f32", [](Real x) { return 1 / x; }, 1, 2, 0x1p-23);
  check_error("sqrt.approx.f32", [](Real x) { return std::sqrt(x); }, 0.001F, 1000, 0x1p-23);
  check_error("rsqrt.approx.ftz.f32", [](Real x) { return 1 / std::sqrt(x); }, 0.001F, 1000, 0x1p-22);
  check_error("sin.approx.f32", [](Real x) { return std::sin(x); }, -6.2F, 6.2F, 0, 0x1p-20);
  check_error("cos.approx.f32", [](Real x) { return std::cos(x); }, -6.2F, 6.2F, 0, 0x1p-20);
  check_error("lg2.approx.ftz.f32", [](Real x) { return std::log2(x); }, 0.51F, 1.99F, 0, 0x1p-22);
  check_error("lg2.approx.f32", [](Real x) { return std::log2(x); }, 2, 1e9F, 0x1p-22);
  check_error("ex2.approx.ftz.f32", [](Real x) { return std::exp2(x); }, -126, 127, 0x1p-22);
  check_error("tanh.approx.f32", [](Real x) { return std::tanh(x); }, -9, 9, 0x1p-11);
}

TEST_CASE("approximations of half types") {
  const auto ex2 = [](auto x) { return narrowed<decltype(x)>(std::exp2(widened(x))); };
  const auto tanh = [](auto x) { return narrowed<decltype(x)>(std::tanh(widened(x))); };
  check_unary<F16>("ex2.approx.f16", ex2);
  check_unary<F16>("tanh.approx.f16", tanh);
  check_unary<Bf16>("tanh.approx.bf16", tanh);
  check_unary<Bf16>("ex2.approx.ftz.bf16", [&](Bf16 x) {
    const Bf16 result = ex2(x);
    return result.bits < 0x80 ? Bf16{0} : result;
  });
  // 1 and -1, 2 and 0.
  const std::vector<std::uint32_t> halves{0xbc003c00, 0x00004000};
  CHECK(evaluate<std::uint32_t>("ex2.approx.f16x2 d, a;", halves) ==
        std::vector<std::uint32_t>{0x38004000, 0x3c004400});
  const std::vector<std::uint32_t> brains{0xbf803f80, 0x00004000};
  CHECK(evaluate<std::uint32_t>("ex2.approx.ftz.bf16x2 d, a;", brains) ==
        std::vector<std::uint32_t>{0x3f004000, 0x3f804080});
  CHECK(evaluate<std::uint32_t>("tanh.approx.bf16x2 d, a;", std::vector<std::uint32_t>{0xff807f80})[0] ==
        0xbf803f80);
  CHECK(evaluate<std::uint32_t>("tanh.approx.f16x2 d, a;", std::vector<std::uint32_t>{0xfc007c00})[0] ==
        0xbc003c00);
}

TEST_CASE("approximate and full-range division") {
  const auto quotient = [](float a, float b) {
    const float result = a / b;
    return std::isnan(result) ? kNan : result;
  };
  const auto flush = [](float x) { return std::fabs(x) < 0x1p-126F ? std::copysign(0.0F, x) : x; };
  const auto approximate = [=](float a, float b) {
    if (std::fabs(b) > 0x1p126F && !std::isinf(b)) return quotient(a, std::copysign(kInf, b));
    return quotient(a, b);
  };
  check_binary<float>("div.full.f32", quotient);
  check_binary<float>("div.full.ftz.f32",
                      [=](float a, float b) { return flush(quotient(flush(a), flush(b))); });
  check_binary<float>("div.approx.f32", approximate);
  check_binary<float>("div.approx.ftz.f32",
                      [=](float a, float b) { return flush(approximate(flush(a), flush(b))); });
}

TEST_CASE("f64 has rough reciprocals, which are flushed") {
  const std::vector<double> operands{3, -0x1p1000, 0x1p-1070, -0.0, double{kInf}, std::nan(""), -4};
  const auto reciprocals = evaluate<double>("rcp.approx.ftz.f64 d, a;", operands);
  CHECK(std::fabs(reciprocals[0] * 3 - 1) < 0x1p-20);
  CHECK((to_bits(reciprocals[0]) & 0xffffffff) == 0);
  CHECK(reciprocals[1] == -0x1p-1000);
  CHECK(reciprocals[2] == kInf);
  CHECK(reciprocals[3] == -kInf);
  CHECK(to_bits(reciprocals[4]) == 0);
  CHECK(std::isnan(reciprocals[5]));
  const auto roots = evaluate<double>("rsqrt.approx.ftz.f64 d, a;", operands);
  CHECK(std::fabs(roots[0] * roots[0] * 3 - 1) < 0x1p-19);
  CHECK(roots[2] == kInf);
  CHECK(roots[3] == -kInf);
  CHECK(std::isnan(roots[6]));
  const auto precise = evaluate<double>("rsqrt.approx.f64 d, a;", operands);
  CHECK(std::fabs(precise[0] * precise[0] * 3 - 1) < 0x1p-22);
  CHECK(precise[2] == 0x1p535);
}

TEST_CASE("forms of approximations that PTX does not have are refused") {
  for (const char* instruction :
       {"sin.f32 f0, f1", "sin.approx.f64 g0, g1", "cos.approx.f16 h0, h1", "ex2.f32 f0, f1",
        "ex2.approx.ftz.f16 h0, h1", "ex2.approx.bf16 h0, h1", "ex2.approx.f64 g0, g1",
        "tanh.approx.ftz.f32 f0, f1", "tanh.approx.f64 g0, g1", "tanh.approx.f32x2 l0, l1",
        "rsqrt.f32 f0, f1", "rsqrt.approx.f16 h0, h1", "rcp.approx.f64 g0, g1", "sqrt.approx.f64 g0, g1",
        "div.approx.f64 g0, g1, g2", "div.full.f16 h0, h1, h2", "lg2.approx.f32 f0, f1, f2"}) {
    check_refused(instruction);
  }
}
