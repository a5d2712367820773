#include "tests/reference/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe::reference {

namespace {

constexpr long double kTwoPi = 2 * std::numbers::pi_v<long double>;

/// Where a pair lies between being divided by factor, 0, and being kept, 1.
long double kept_by_llama3(const RopeFrequencies& f, long double frequency) {
  const long double wavelength = kTwoPi / frequency;
  const auto original = static_cast<long double>(f.original_positions);
  if (wavelength > original / f.low_frequency_factor) return 0;
  if (wavelength < original / f.high_frequency_factor) return 1;
  return (original / wavelength - f.low_frequency_factor) /
         (f.high_frequency_factor - f.low_frequency_factor);
}

long double kept_by_yarn(const RopeFrequencies& f, std::int64_t rotary_dim, std::int64_t pair) {
  const auto dim = static_cast<long double>(rotary_dim);
  const auto correction = [&](long double rotations) {
    return dim * std::log(static_cast<long double>(f.original_positions) / (rotations * kTwoPi)) /
           (2 * std::log(static_cast<long double>(f.theta)));
  };
  long double low = correction(f.beta_fast);
  long double high = correction(f.beta_slow);
  if (f.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0L);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001L;
  return 1 - std::clamp((static_cast<long double>(pair) - low) / (high - low), 0.0L, 1.0L);
}

long double theta_of(const RopeFrequencies& f, std::int64_t rotary_dim) {
  const auto dim = static_cast<long double>(rotary_dim);
  const long double exponent = dim / (dim - 2);
  if (f.scaling == RopeScaling::ntk) return f.theta * std::pow(static_cast<long double>(f.factor), exponent);
  if (f.scaling != RopeScaling::dynamic_ntk) return f.theta;
  const auto original = static_cast<long double>(f.original_positions);
  const long double length = std::max(static_cast<long double>(f.length), original);
  return f.theta * std::pow(f.factor * length / original - (f.factor - 1.0L), exponent);
}

}  // namespace

std::vector<long double> rope_frequencies(const RopeFrequencies& f, std::int64_t rotary_dim) {
  const long double theta = theta_of(f, rotary_dim);
  std::vector<long double> frequencies;
  for (std::int64_t pair = 0; pair < rotary_dim / 2; ++pair) {
    const auto exponent = -2 * static_cast<long double>(pair) / static_cast<long double>(rotary_dim);
    const long double plain = std::pow(theta, exponent);
    const auto index = static_cast<std::size_t>(pair);
    const auto blended = [&](long double kept) { return (1 - kept) * plain / f.factor + kept * plain; };
    switch (f.scaling) {
      case RopeScaling::none:
      case RopeScaling::ntk:
      case RopeScaling::dynamic_ntk:
        frequencies.push_back(plain);
        break;
      case RopeScaling::linear:
        frequencies.push_back(plain / f.factor);
        break;
      case RopeScaling::llama3:
        frequencies.push_back(blended(kept_by_llama3(f, plain)));
        break;
      case RopeScaling::yarn:
        frequencies.push_back(blended(kept_by_yarn(f, rotary_dim, pair)));
        break;
      case RopeScaling::longrope:
        frequencies.push_back(plain /
                              (f.length > f.original_positions ? f.long_factor : f.short_factor)[index]);
        break;
    }
  }
  return frequencies;
}

double rope_attention_factor(const RopeFrequencies& f) {
  if (f.attention_factor) return *f.attention_factor;
  if (f.factor <= 1) return 1;
  const double log_factor = std::log(f.factor);
  if (f.scaling == RopeScaling::longrope)
    return std::sqrt(1 + log_factor / std::log(static_cast<double>(f.original_positions)));
  if (f.scaling != RopeScaling::yarn) return 1;
  if (f.mscale == 0 || f.mscale_all_dim == 0) return 0.1 * log_factor + 1;
  return (0.1 * f.mscale * log_factor + 1) / (0.1 * f.mscale_all_dim * log_factor + 1);
}

}  // namespace lathe::reference
