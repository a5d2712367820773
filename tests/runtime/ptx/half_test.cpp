#include "runtime/ptx/half.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/ptx/exact_float.h"
#include "tests/support/catch.h"

using namespace lathe::runtime::ptx;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The value of bits, from the definition of a format.
double value_of(std::uint32_t bits, int exponent_bits, int mantissa_bits, bool has_infinity) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const auto field = static_cast<int>(bits >> mantissa_bits & ((1U << exponent_bits) - 1));
  const auto mantissa = static_cast<double>(bits & ((1U << mantissa_bits) - 1));
  const double sign = (bits >> (exponent_bits + mantissa_bits) & 1) != 0 ? -1 : 1;
  const bool is_top = field == (1 << exponent_bits) - 1;
  if (is_top && has_infinity) return mantissa == 0 ? sign * kInfinity : std::nan("");
  if (is_top && mantissa == (1 << mantissa_bits) - 1) return std::nan("");
  if (field == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(1 + std::ldexp(mantissa, -mantissa_bits), field - bias);
}

bool is_same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

/// Rounds by looking between which of the format's values (ascending, from zero) a magnitude lies.
class Table {
 public:
  Table(std::uint32_t largest, int exponent_bits, int mantissa_bits, bool has_infinity) {
    for (std::uint32_t bits = 0; bits <= largest; ++bits)
      values_.push_back(value_of(bits, exponent_bits, mantissa_bits, has_infinity));
    // One more, as if the exponent went on, for what is to be told from it.
    values_.push_back(2 * values_.back() - values_[values_.size() - 2]);
  }

  /// Bits of a magnitude; one beyond the largest is too large.
  std::uint32_t nearest(double magnitude) const {
    if (magnitude >= values_.back()) return static_cast<std::uint32_t>(values_.size() - 1);
    const std::uint32_t below = floor(magnitude);
    const double middle = (values_[below] + values_[below + 1]) / 2;
    if (magnitude == middle) return below + (below & 1);
    return magnitude < middle ? below : below + 1;
  }
  std::uint32_t floor(double magnitude) const {
    const auto above = std::upper_bound(values_.begin(), values_.end(), magnitude);
    return static_cast<std::uint32_t>(above - values_.begin()) - 1;
  }
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_;
};

/// Each value, each middle between two, and the floats next to those.
std::vector<float> around(const Table& table) {
  std::vector<float> floats;
  const auto add = [&](double value) {
    const auto at = static_cast<float>(value);
    for (const float each : {std::nextafter(at, 0.0F), at, std::nextafter(at, kInfinity)}) {
      floats.push_back(each);
      floats.push_back(-each);
    }
  };
  for (std::size_t i = 0; i + 1 < table.values().size(); ++i) {
    add(table.values()[i]);
    add((table.values()[i] + table.values()[i + 1]) / 2);
  }
  add(std::numeric_limits<float>::max());
  floats.push_back(0x1p-149F);
  return floats;
}

const Table& f16_table() {
  static const Table kTable(0x7bff, 5, 10, true);
  return kTable;
}
const Table& bf16_table() {
  static const Table kTable(0x7f7f, 8, 7, true);
  return kTable;
}

}  // namespace

TEST_CASE("f16 and bf16 become the floats that they are") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!is_same(double{f16_to_float(half)}, value_of(bits, 5, 10, true))) ++wrong;
    if (!is_same(double{bf16_to_float(half)}, value_of(bits, 8, 7, true))) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("e4m3 and e5m2 become the floats that they are") {
  for (std::uint32_t bits = 0; bits < 0x100; ++bits) {
    INFO(bits);
    CHECK(is_same(double{e4m3_to_float(static_cast<std::uint8_t>(bits))}, value_of(bits, 4, 3, false)));
    CHECK(is_same(double{e5m2_to_float(static_cast<std::uint8_t>(bits))}, value_of(bits, 5, 2, true)));
  }
  CHECK(e4m3_to_float(0x7e) == 448);
}

TEST_CASE("floats round to the nearest half, ties to even") {
  std::size_t wrong = 0;
  for (const float value : around(f16_table())) {
    const std::uint32_t sign = std::signbit(value) ? 0x8000 : 0;
    if (float_to_f16(value) != (sign | f16_table().nearest(std::fabs(double{value})))) ++wrong;
    if (float_to_f16(value) != float_to_f16(value, Rounding::nearest_even)) ++wrong;
    if (float_to_f16(value) != double_to_f16(double{value})) ++wrong;
  }
  CHECK(wrong == 0);
  for (const float value : around(bf16_table())) {
    const std::uint32_t sign = std::signbit(value) ? 0x8000 : 0;
    if (float_to_bf16(value) != (sign | bf16_table().nearest(std::fabs(double{value})))) ++wrong;
    if (float_to_bf16(value) != float_to_bf16(value, Rounding::nearest_even)) ++wrong;
    if (float_to_bf16(value) != double_to_bf16(double{value})) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("floats round to a half in a direction") {
  std::size_t wrong = 0;
  for (const float value : around(f16_table())) {
    if (std::isinf(value)) continue;
    const bool is_negative = std::signbit(value);
    const std::uint32_t sign = is_negative ? 0x8000 : 0;
    const double magnitude = std::fabs(double{value});
    const std::uint32_t below = std::min(f16_table().floor(magnitude), 0x7bffU);
    const bool is_exact = f16_table().values()[below] == magnitude;
    const std::uint32_t above = is_exact ? below : below + 1;
    if (float_to_f16(value, Rounding::toward_zero) != (sign | below)) ++wrong;
    if (float_to_f16(value, Rounding::down) != (sign | (is_negative ? above : below))) ++wrong;
    if (float_to_f16(value, Rounding::up) != (sign | (is_negative ? below : above))) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("doubles round once") {
  CHECK(double_to_f16(1 + 0x1p-11 + 0x1p-40) == 0x3c01);  // as a float it would be a tie
  CHECK(double_to_bf16(1 + 0x1p-8 + 0x1p-50) == 0x3f81);
  CHECK(double_to_f16(1 + 0x1p-40, Rounding::up) == 0x3c01);
}

TEST_CASE("specials become halves") {
  const float nan = std::nanf("1");
  CHECK(float_to_f16(nan) == 0x7fff);
  CHECK(float_to_bf16(-nan) == 0x7fff);
  CHECK(float_to_f16(kInfinity) == 0x7c00);
  CHECK(float_to_bf16(-kInfinity) == 0xff80);
  CHECK(float_to_f16(-0.0F) == 0x8000);
  CHECK(float_to_bf16(-0.0F) == 0x8000);
  CHECK(float_to_f16(65519.0F) == 0x7bff);
  CHECK(float_to_f16(65520.0F) == 0x7c00);
  CHECK(float_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(float_to_f16(kInfinity, Rounding::nearest_even, Overflow::saturate) == 0x7bff);
  CHECK(float_to_bf16(-kInfinity, Rounding::toward_zero, Overflow::saturate) == 0xff7f);
}

TEST_CASE("floats round to 8 bits and saturate") {
  const Table e4m3(0x7e, 4, 3, false);
  const Table e5m2(0x7b, 5, 2, true);
  std::size_t wrong = 0;
  for (const Table* table : {&e4m3, &e5m2}) {
    for (const float value : around(*table)) {
      const std::uint32_t sign = std::signbit(value) ? 0x80 : 0;
      const double magnitude = std::fabs(double{value});
      if (float_to_e4m3(value) != (sign | std::min(e4m3.nearest(magnitude), 0x7eU))) ++wrong;
      if (float_to_e5m2(value) != (sign | std::min(e5m2.nearest(magnitude), 0x7bU))) ++wrong;
    }
  }
  CHECK(wrong == 0);
  CHECK(float_to_e4m3(kInfinity) == 0x7e);
  CHECK(float_to_e5m2(-kInfinity) == 0xfb);
  CHECK(float_to_e4m3(-std::nanf("")) == 0x7f);
  CHECK(float_to_e5m2(std::nanf("")) == 0x7f);
}

TEST_CASE("tf32 has 10 bits of mantissa in a float") {
  CHECK(float_to_tf32(1 + 0x1p-11F) == 0x3f802000);  // away from zero
  CHECK(float_to_tf32(-1 - 0x1p-11F) == 0xbf802000);
  CHECK(float_to_tf32(1 + 0x1p-11F, Rounding::nearest_even) == 0x3f800000);
  CHECK(float_to_tf32(1 + 0x1.8p-10F, Rounding::nearest_even) == 0x3f804000);
  CHECK(float_to_tf32(1.9999F, Rounding::toward_zero) == 0x3fffe000);
  CHECK(float_to_tf32(std::numeric_limits<float>::max()) == 0x7f800000);
  CHECK(float_to_tf32(kInfinity, Rounding::nearest_even, Overflow::saturate) == 0x7f7fe000);
  CHECK(float_to_tf32(std::nanf("")) == 0x7fffffff);
  CHECK(tf32_to_float(0x3f801fff) == 1.0F);
}
