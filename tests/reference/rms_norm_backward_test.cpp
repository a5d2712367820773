// The reference itself: against results worked out by hand, and against finite differences of the forward.
#include "tests/reference/rms_norm_backward.h"

#include <cmath>
#include <random>

#include "tests/support/catch.h"

using lathe::bf16;
using lathe::Casting;
using lathe::f32;
using lathe::RmsNormBackwardSpec;
using namespace lathe::reference;

namespace {

bool holds(Bounds bounds, double value) {
  return bounds.low <= value && value <= bounds.high;
}

std::vector<double> random_values(std::mt19937& random, std::size_t count) {
  std::normal_distribution<double> normal;
  std::vector<double> values(count);
  for (double& value : values) value = static_cast<double>(static_cast<float>(normal(random)));
  return values;
}

/// sum of dy * y, of which the gradients are taken.
double loss(const std::vector<double>& dy, const std::vector<double>& x, const std::vector<double>& weight,
            double offset, double epsilon) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double rstd = 1 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += dy[i] * x[i] * rstd * (weight[i] + offset);
  return sum;
}

}  // namespace

TEST_CASE("the gradients of two elements, by hand") {
  // x = (1, 7): mean square 25, rstd 0.2, n = (0.2, 1.4). g = dy * w = (2, 3): sum(g * n) = 4.6, half of
  // it 2.3. dx = 0.2 * (2 - 0.2 * 2.3, 3 - 1.4 * 2.3) = (0.308, -0.044). dw = dy * n = (0.2, 4.2).
  const RmsNormBackwardSpec spec{.hidden_size = 2, .dtype = f32, .load_rstd = false};
  const auto gradient = rms_norm_backward(spec, {{{1, 3}, {1, 7}, {}, 0}}, {2, 1}, {}, 0);
  CHECK(holds(gradient.dx[0][0], 0.308));
  CHECK(holds(gradient.dx[0][1], -0.044));
  CHECK(gradient.dx[0][0].high - gradient.dx[0][0].low < 1e-5);
  CHECK(holds(gradient.dw[0], 0.2));
  CHECK(holds(gradient.dw[1], 4.2));
  CHECK(gradient.dw[1].high - gradient.dw[1].low < 1e-5);
}

TEST_CASE("what flows around the norm is added to dx, what dw held to dw") {
  const RmsNormBackwardSpec spec{.hidden_size = 2, .dtype = f32, .accumulate_dw = true};
  const auto gradient = rms_norm_backward(spec, {{{1, 3}, {1, 7}, {10, 20}, 0.2}}, {2, 1}, {100, 200}, 0);
  CHECK(holds(gradient.dx[0][0], 10.308));
  CHECK(holds(gradient.dx[0][1], 19.956));
  CHECK(holds(gradient.dw[0], 100.2));
  CHECK(holds(gradient.dw[1], 204.2));
}

TEST_CASE("dw sums over rows, with the n that the forward has rounded or not") {
  // n = 1.00390625 is a tie in bf16: 1.
  RmsNormBackwardSpec spec{.hidden_size = 1, .dtype = bf16, .dw_dtype = f32};
  const std::vector<GradientRow> rows{{{1}, {1.0078125}, {}, 0.99609375}, {{2}, {1.0078125}, {}, 0.99609375}};
  const double n = 1.0078125 * 0.99609375;  // 1.003875...
  CHECK(holds(rms_norm_backward(spec, rows, {1}, {}, 0).dw[0], 3 * n));
  CHECK(!holds(rms_norm_backward(spec, rows, {1}, {}, 0).dw[0], 3));
  for (const Casting casting : {Casting::llama, Casting::none}) {
    spec.casting = casting;
    CHECK(holds(rms_norm_backward(spec, rows, {1}, {}, 0).dw[0], 3));
    CHECK(!holds(rms_norm_backward(spec, rows, {1}, {}, 0).dw[0], 3 * n));
  }
}

TEST_CASE("without rows dw is zero, or what it was") {
  RmsNormBackwardSpec spec{.hidden_size = 1, .dtype = f32};
  CHECK(holds(rms_norm_backward(spec, {}, {1}, {}, 0).dw[0], 0));
  spec.accumulate_dw = true;
  CHECK(holds(rms_norm_backward(spec, {}, {1}, {5}, 0).dw[0], 5));
}

TEST_CASE("the gradients are those of finite differences") {
  std::mt19937 random(1);
  for (const double offset : {0.0, 1.0}) {
    for (const std::size_t count : {1, 2, 7, 33}) {
      const std::vector<double> dy = random_values(random, count);
      std::vector<double> x = random_values(random, count);
      std::vector<double> weight = random_values(random, count);
      const double epsilon = 1e-3;
      const RmsNormBackwardSpec spec{.hidden_size = static_cast<std::int64_t>(count),
                                     .dtype = f32,
                                     .weight_offset = offset,
                                     .load_rstd = false};
      const auto gradient = rms_norm_backward(spec, {{dy, x, {}, 0}}, weight, {}, epsilon);
      constexpr double kStep = 1e-6;
      const auto slope = [&](double& variable) {
        const double at = variable;
        variable = at + kStep;
        const double above = loss(dy, x, weight, offset, epsilon);
        variable = at - kStep;
        const double below = loss(dy, x, weight, offset, epsilon);
        variable = at;
        return (above - below) / (2 * kStep);
      };
      for (std::size_t i = 0; i < count; ++i) {
        INFO(count << " elements, element " << i);
        CHECK(std::abs((gradient.dx[0][i].low + gradient.dx[0][i].high) / 2 - slope(x[i])) < 1e-5);
        CHECK(gradient.dx[0][i].high - gradient.dx[0][i].low < 1e-4);
        CHECK(std::abs((gradient.dw[i].low + gradient.dw[i].high) / 2 - slope(weight[i])) < 1e-5);
      }
    }
  }
}
