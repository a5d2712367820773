#include "codegen/wide_float.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace lathe::codegen;

namespace {

WideFloat relative_error(WideFloat value, WideFloat expected) {
  const WideFloat error = (value - expected) / expected;
  return error < 0 ? -error : error;
}

}  // namespace

TEST_CASE("a logarithm agrees with the C library's, as far as that goes") {
  for (const double value :
       {1e-300, 1e-6, 0.3, 0.75, 0.9999, 1.0001, 1.5, 2.0, 2.718281828, 1e4, 5e5, 1e30}) {
    INFO(value);
    CHECK(relative_error(log_of(value), std::log(static_cast<long double>(value))) < 1e-18);
  }
  CHECK(log_of(1) == 0);
}

TEST_CASE("a power agrees with the C library's, as far as that goes") {
  for (const double exponent : {-690.0, -20.0, -0.3466, -1e-9, 0.0, 1e-9, 0.3465, 0.3467, 1.0, 20.0, 690.0}) {
    INFO(exponent);
    CHECK(relative_error(exp_of(exponent), std::exp(static_cast<long double>(exponent))) < 1e-16);
  }
  CHECK(exp_of(0) == 1);
}

TEST_CASE("an exact power comes out exact to more than a hundred bits") {
  const auto bits = [](int count) {
    WideFloat value = 1;
    for (int i = 0; i < count; ++i) value /= 2;
    return value;
  };
  CHECK(relative_error(power_of(10000, static_cast<WideFloat>(-1) / 4), static_cast<WideFloat>(1) / 10) <
        bits(104));
  CHECK(relative_error(power_of(2, 64), static_cast<WideFloat>(0x1p64)) < bits(104));
  CHECK(relative_error(exp_of(log_of(3)), 3) < bits(108));
}

TEST_CASE("pi is pi") {
  // Where the series ends: 4 atan(1), to the 50 bits and more that a double leaves over.
  CHECK(static_cast<double>(kPi) == 3.14159265358979323846);
  CHECK(static_cast<double>(kPi - static_cast<WideFloat>(0x1.921fb54442d18p+1)) == 0x1.1a62633145c07p-53);
}
