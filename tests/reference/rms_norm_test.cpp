// The reference itself, against results worked out by hand: where each casting mode and residual order
// rounds.
#include "tests/reference/rms_norm.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

using lathe::bf16;
using lathe::Casting;
using lathe::f16;
using lathe::f32;
using lathe::Residual;
using lathe::RmsNormSpec;
using namespace lathe::reference;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Whether the bounds are exactly one value.
bool is_exactly(Bounds bounds, double value) {
  return bounds.low == value && bounds.high == value;
}

bool holds(Bounds bounds, double value) {
  return bounds.low <= value && value <= bounds.high;
}

bool is_nan(Bounds bounds) {
  return std::isnan(bounds.low) && std::isnan(bounds.high);
}

}  // namespace

TEST_CASE("a row of equal values becomes ones, times the weight and its offset") {
  const RmsNormSpec spec{.hidden_size = 4, .dtype = bf16, .weight_offset = 1.0};
  const auto row = rms_norm(spec, {2, 2, -2, 2}, {}, {0.5, 1, 2, -1}, 0);
  CHECK(is_exactly(row.y[0], 1.5));
  CHECK(is_exactly(row.y[1], 2));
  CHECK(is_exactly(row.y[2], -3));
  CHECK(is_exactly(row.y[3], 0));
  CHECK(holds(row.rstd, 0.5));
  CHECK(row.rstd.high - row.rstd.low < 1e-6);
  CHECK(row.residual_out.empty());
}

TEST_CASE("epsilon is added to the mean, not to the sum") {
  const auto row = rms_norm({.hidden_size = 4, .dtype = f32}, {1, 1, 1, 1}, {}, {}, 3);
  CHECK(holds(row.y[0], 0.5));
  CHECK(holds(row.rstd, 0.5));
}

TEST_CASE("llama rounds before the weight, gemma only after it") {
  // The mean square is 1.5625, rstd 0.8, which is 0.80078125 in bf16. Times 1.3125 that is 1.0510, nearer to
  // 1.0546875; 0.8 times 1.3125 is 1.05, nearer to 1.046875.
  RmsNormSpec spec{.hidden_size = 4, .dtype = bf16};
  const std::vector<double> x{1, 2, 1, 0.5};
  const std::vector<double> weight{1.3125, 1, 1, 1};
  CHECK(is_exactly(rms_norm(spec, x, {}, weight, 0).y[0], 1.046875));
  spec.casting = Casting::llama;
  CHECK(is_exactly(rms_norm(spec, x, {}, weight, 0).y[0], 1.0546875));
}

TEST_CASE("none rounds square, mean, root and weight") {
  // 1.0078125 squared is 1.01568, in bf16 1.015625; its root's reciprocal is 0.99228, in bf16 0.9921875.
  RmsNormSpec spec{.hidden_size = 1, .dtype = bf16, .casting = Casting::none};
  CHECK(is_exactly(rms_norm(spec, {1.0078125}, {}, {}, 0).rstd, 0.9921875));
  // x * rstd is 0.80078125. The weight, 1.004, is 1.0078125 in bf16: the product 0.80704 is nearest to
  // 0.80859375, where 0.80078125 * 1.004 would be nearest to 0.8046875.
  spec = {.hidden_size = 4, .dtype = bf16, .weight_offset = 0.004, .casting = Casting::none};
  const std::vector<double> ones(4, 1.0);
  CHECK(is_exactly(rms_norm(spec, {1, 2, 1, 0.5}, {}, ones, 0).y[0], 0.80859375));
  spec.casting = Casting::llama;
  CHECK(is_exactly(rms_norm(spec, {1, 2, 1, 0.5}, {}, ones, 0).y[0], 0.8046875));
}

TEST_CASE("the residual's sum is rounded before or after it is normalised") {
  // 1 + 2^-9 is 1 in bf16, so only the statistics can tell.
  RmsNormSpec spec{.hidden_size = 1, .dtype = bf16, .residual = Residual::round_then_norm};
  const double small = std::ldexp(1.0, -9);
  auto row = rms_norm(spec, {1.0}, {small}, {}, 0);
  CHECK(row.residual_out[0] == 1.0);
  CHECK(holds(row.rstd, 1.0));
  CHECK(!holds(row.rstd, 1 / (1 + small)));
  spec.residual = Residual::norm_then_round;
  row = rms_norm(spec, {1.0}, {small}, {}, 0);
  CHECK(row.residual_out[0] == 1.0);
  CHECK(holds(row.rstd, 1 / (1 + small)));
  CHECK(!holds(row.rstd, 1.0));
  spec.casting = Casting::none;  // every step in bf16, the sum too
  CHECK(is_exactly(rms_norm(spec, {1.0}, {small}, {}, 0).rstd, 1.0));
}

TEST_CASE("zeros, infinities and NaN go the way of IEEE arithmetic") {
  const RmsNormSpec spec{.hidden_size = 2, .dtype = f32};
  CHECK(is_exactly(rms_norm(spec, {0, 0}, {}, {}, 1e-6).y[0], 0));
  const auto zeros = rms_norm(spec, {0, 0}, {}, {}, 0);
  CHECK(is_exactly(zeros.rstd, kInfinity));
  CHECK(is_nan(zeros.y[0]));
  const auto infinite = rms_norm(spec, {kInfinity, 1}, {}, {}, 1e-6);
  CHECK(is_exactly(infinite.rstd, 0));
  CHECK(is_nan(infinite.y[0]));
  CHECK(is_exactly(infinite.y[1], 0));
  const auto nan = rms_norm(spec, {std::nan(""), 1}, {}, {}, 1e-6);
  CHECK(is_nan(nan.rstd));
  CHECK(is_nan(nan.y[1]));
}

TEST_CASE("squares that a float cannot hold make the row zero") {
  const auto row = rms_norm({.hidden_size = 2, .dtype = f32}, {1e30, 1}, {}, {}, 1e-6);
  CHECK(is_exactly(row.rstd, 0));
  CHECK(is_exactly(row.y[0], 0));
  // f16's largest numbers are no problem for float statistics.
  CHECK(is_exactly(rms_norm({.hidden_size = 2, .dtype = f16}, {65504, 65504}, {}, {}, 0).y[0], 1));
}
