#include "tests/reference/rope.h"

#include <cmath>
#include <numbers>

#include "tests/reference/rope_frequencies.h"
#include "tests/reference/rounding.h"

namespace lathe::reference {

namespace {

/// A position times a frequency, in turns, reduced to a fraction of one: in the 64 bits of a long double's
/// mantissa for the fraction of a turn per position, and exactly from there.
long double fraction_of_turn(std::int64_t position, long double radians) {
  const long double turns = radians / (2 * std::numbers::pi_v<long double>);
  const long double per_position = turns - std::floor(turns);
  // Of a frequency that is small the mantissa reaches further down than 2^-64; take it in two parts.
  const long double high = std::floor(std::ldexp(per_position, 64));
  const long double low = std::ldexp(per_position, 64) - high;
  const auto product = static_cast<std::uint64_t>(high) * static_cast<std::uint64_t>(position);
  const long double total =
      std::ldexp(static_cast<long double>(product) + low * static_cast<long double>(position), -64);
  return total - std::floor(total);
}

/// So many units of float's last place may an evaluation be off: two roundings of sine and cosine each, of
/// products and of a sum.
constexpr double kRoom = 5 * 0x1p-24;

/// The normalised row, or the row itself.
std::vector<Bounds> normalized(const RopeSpec& spec, const std::vector<double>& x,
                               const std::vector<double>& weight, double epsilon) {
  std::vector<Bounds> row;
  if (!spec.qk_norm) {
    for (const double value : x) row.push_back({value, value});
    return row;
  }
  RmsNormSpec norm{.hidden_size = spec.head_dim,
                   .dtype = spec.dtype,
                   .has_weight = spec.norm_has_weight,
                   .weight_dtype = spec.norm_weight_dtype,
                   .weight_offset = spec.norm_weight_offset,
                   .casting = spec.norm_casting};
  // Nothing is rounded between norm and rotation; elements of the dtype are floats too.
  if (spec.norm_casting == Casting::gemma) norm.dtype = f32;
  return rms_norm(norm, x, {}, weight, epsilon).y;
}

Bounds sum_of(Bounds a, double a_factor, Bounds b, double b_factor) {
  const double corners[] = {a.low * a_factor, a.high * a_factor, b.low * b_factor, b.high * b_factor};
  const double room = kRoom * (std::fmax(std::abs(corners[0]), std::abs(corners[1])) +
                               std::fmax(std::abs(corners[2]), std::abs(corners[3]))) +
                      0x1p-147;
  const double low = std::fmin(corners[0], corners[1]) + std::fmin(corners[2], corners[3]);
  const double high = std::fmax(corners[0], corners[1]) + std::fmax(corners[2], corners[3]);
  if (std::isnan(corners[0] + corners[1] + corners[2] + corners[3])) return {std::nan(""), std::nan("")};
  if (!std::isfinite(low) || !std::isfinite(high)) return {low, high};
  return {low - room, high + room};
}

}  // namespace

std::size_t rope_section(const RopeSpec& spec, std::int64_t pair) {
  const auto count = static_cast<std::int64_t>(spec.sections.size());
  if (count < 2) return 0;
  if (spec.section_order == RopeSections::interleaved) {
    const std::int64_t section = pair % count;
    return static_cast<std::size_t>(pair < count * spec.sections[static_cast<std::size_t>(section)] ? section
                                                                                                    : 0);
  }
  std::int64_t end = 0;
  for (std::size_t section = 0;; ++section) {
    end += spec.sections[section];
    if (pair < end) return section;
  }
}

std::vector<RopeAngle> rope_angles(const RopeSpec& spec, const std::vector<std::int64_t>& positions) {
  const auto frequencies = rope_frequencies(spec.frequencies, spec.rotary_dim);
  const double factor = rope_attention_factor(spec.frequencies);
  std::vector<RopeAngle> angles;
  for (std::size_t pair = 0; pair < frequencies.size(); ++pair) {
    const std::int64_t position = positions[rope_section(spec, static_cast<std::int64_t>(pair))];
    const long double angle =
        2 * std::numbers::pi_v<long double> * fraction_of_turn(position, frequencies[pair]);
    angles.push_back(
        {static_cast<double>(std::sin(angle)) * factor, static_cast<double>(std::cos(angle)) * factor});
  }
  return angles;
}

std::vector<Bounds> rope_row(const RopeSpec& spec, const std::vector<double>& x,
                             const std::vector<double>& weight, double epsilon,
                             const std::vector<RopeAngle>& angles) {
  std::vector<Bounds> row = normalized(spec, x, weight, epsilon);
  const auto pairs = static_cast<std::size_t>(spec.rotary_dim / 2);
  const auto offset = static_cast<std::size_t>(spec.rotary_offset);
  for (std::size_t i = 0; i < pairs; ++i) {
    const bool is_half = spec.pairs == RopePairs::half;
    Bounds& first = row[offset + (is_half ? i : 2 * i)];
    Bounds& second = row[offset + (is_half ? i + pairs : 2 * i + 1)];
    const double sin = spec.inverse ? -angles[i].sin : angles[i].sin;
    const double cos = angles[i].cos;
    const Bounds x_before = first;
    first = sum_of(x_before, cos, second, -sin);
    second = sum_of(second, cos, x_before, sin);
  }
  return row;
}

Bounds rope_result(const RopeSpec& spec, DType result, double scale, Bounds value) {
  const bool is_scaled = result != spec.dtype;
  const auto rounded = [&](double x, int direction) {
    if (!is_scaled) return rounded_to(result, x);
    const double product = x * scale;
    // One rounding of the product to float.
    const double room = std::isfinite(product) ? std::abs(product) * 0x1p-24 * direction : 0;
    return rounded_to(result, product + room);
  };
  const bool grows = value.low != value.high || is_scaled;
  return {rounded(value.low, grows ? -1 : 0), rounded(value.high, grows ? 1 : 0)};
}

}  // namespace lathe::reference
