// Values that floating-point tests try: the edges of each format and many random bit patterns.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <random>
#include <string_view>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "runtime/ptx/float_values.h"

namespace lathe::tests {

/// Zeros, subnormals, numbers around 1, the largest, infinities and NaNs, of both signs.
template <class T>
std::vector<T> edges() {
  using runtime::ptx::kFormatOf;
  constexpr std::uint64_t kOne =
      kFormatOf<T>.smallest_normal() * static_cast<std::uint64_t>(kFormatOf<T>.bias());
  constexpr std::uint64_t kNormal = kFormatOf<T>.smallest_normal();
  std::vector<T> values;
  for (const std::uint64_t magnitude :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, kNormal / 2, kNormal - 1,
        kNormal, kNormal + 1, kOne - 1, kOne, kOne + 1, kOne + kNormal / 2, kOne + kNormal,
        kOne + 2 * kNormal + 3, kFormatOf<T>.largest() - 1, kFormatOf<T>.largest(), kFormatOf<T>.infinity(),
        kFormatOf<T>.infinity() + 1, kFormatOf<T>.sign() - 1}) {
    values.push_back(runtime::ptx::from_bits<T>(magnitude));
    values.push_back(runtime::ptx::from_bits<T>(magnitude | kFormatOf<T>.sign()));
  }
  return values;
}

/// The edges, and random bits: half of them of similar exponents, so that sums cancel and round.
template <class T>
std::vector<T> samples(std::size_t random_count, unsigned seed = 1) {
  std::vector<T> values = edges<T>();
  std::mt19937_64 random(seed);
  constexpr auto kFormat = runtime::ptx::kFormatOf<T>;
  const std::uint64_t near_one = kFormat.smallest_normal() * static_cast<std::uint64_t>(kFormat.bias() - 2);
  for (std::size_t i = 0; i < random_count; ++i) {
    const std::uint64_t bits = random();
    const std::uint64_t near = near_one + (bits & (kFormat.smallest_normal() * 4 - 1));
    const std::uint64_t sign = (bits >> 60 & 1) != 0 ? kFormat.sign() : 0;
    values.push_back(runtime::ptx::from_bits<T>(i % 2 == 0 ? bits : near | sign));
  }
  return values;
}

/// Every value of `all` with every other, as columns.
template <class T>
std::tuple<std::vector<T>, std::vector<T>> pairs_of(const std::vector<T>& all) {
  std::tuple<std::vector<T>, std::vector<T>> columns;
  for (const T& a : all) {
    for (const T& b : all) {
      std::get<0>(columns).push_back(a);
      std::get<1>(columns).push_back(b);
    }
  }
  return columns;
}

/// The same bits, or both NaN.
template <class T>
bool is_same(T a, T b) {
  return runtime::ptx::to_bits(a) == runtime::ptx::to_bits(b) ||
         (runtime::ptx::is_nan(a) && runtime::ptx::is_nan(b));
}

template <class T>
std::string shown(T value) {
  return fmt::format("{:#x} = {}", runtime::ptx::to_bits(value), runtime::ptx::widened(value));
}

}  // namespace lathe::tests
