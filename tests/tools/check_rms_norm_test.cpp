#include "tools/lathe/check_rms_norm.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/catch.h"
#include "tools/lathe/elements.h"

using namespace lathe;
using tools::check_rms_norm;

namespace {

std::vector<std::byte> floats(const std::vector<double>& values) {
  std::vector<std::byte> bytes(values.size() * 4);
  for (std::size_t i = 0; i < values.size(); ++i) tools::store_element(f32, values[i], bytes.data() + 4 * i);
  return bytes;
}

const RmsNormSpec kSpec{.hidden_size = 2, .dtype = f32};

}  // namespace

TEST_CASE("The exact result passes, and one that is off by more than the limit does not") {
  // The mean square of (1, 7) is 25, so the rows are divided by 5.
  const auto x = floats({1, 7, 3, 1});
  const auto weight = floats({2, 10});
  const double root5 = std::sqrt(5.0);
  const auto good = floats({0.4, 14.0, 6 / root5, 10 / root5});
  const auto bad = floats({0.4, 14.0, 6 / root5, 10.001 / root5});
  CHECK(check_rms_norm(kSpec, 2, {.x = x, .weight = weight, .residual_in = {}, .y = good}).is_good());
  const auto check = check_rms_norm(kSpec, 2, {.x = x, .weight = weight, .residual_in = {}, .y = bad});
  CHECK_FALSE(check.is_good());
  CHECK(std::fabs(check.max_error - 1e-4) < 1e-6);
}

TEST_CASE("The residual, the offset and epsilon count") {
  RmsNormSpec spec = kSpec;
  spec.residual = Residual::norm_then_round;
  spec.weight_offset = 1;
  const auto x = floats({0, 4});
  const auto residual = floats({1, 3});
  const auto weight = floats({1, 9});
  // x + r = (1, 7); (25 + 11) has the root 6; the weights become (2, 10).
  const auto y = floats({2.0 / 6, 70.0 / 6});
  CHECK(check_rms_norm(spec, 1, {.x = x, .weight = weight, .residual_in = residual, .y = y, .epsilon = 11})
            .is_good());
}

TEST_CASE("A NaN never passes") {
  const auto x = floats({1, 7});
  const auto weight = floats({1, 1});
  const auto y = floats({std::numeric_limits<double>::quiet_NaN(), 1.4});
  CHECK_FALSE(check_rms_norm(kSpec, 1, {.x = x, .weight = weight, .residual_in = {}, .y = y}).is_good());
}
