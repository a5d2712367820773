// Instructions applied to all combinations of values that are known to be difficult.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_snippet.h"

namespace lathe::tests {

/// Values at the ends of a type's range, around zero, and some in between.
template <class T>
std::vector<T> edge_values() {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_same_v<T, Flag>) {
    return {Flag::no, Flag::yes};
  } else if constexpr (std::is_floating_point_v<T>) {
    return {T(0),
            -T(0),
            T(1),
            T(-1),
            T(1.5),
            T(-2.25),
            Limits::min(),
            -Limits::min(),
            Limits::max(),
            -Limits::max(),
            Limits::denorm_min(),
            -Limits::denorm_min(),
            Limits::min() / 2,
            -Limits::min() / 2,
            Limits::infinity(),
            -Limits::infinity(),
            Limits::quiet_NaN()};
  } else {
    const auto pattern = [](std::uint64_t bits) { return static_cast<T>(bits); };
    return {T(0),
            T(1),
            T(2),
            T(7),
            pattern(~std::uint64_t{0}),
            pattern(~std::uint64_t{1}),
            Limits::max(),
            static_cast<T>(Limits::max() - 1),
            Limits::min(),
            static_cast<T>(Limits::min() + 1),
            pattern(0x5555555555555555),
            pattern(0xaaaaaaaaaaaaaaaa),
            pattern(0x0123456789abcdef),
            pattern(0xfedcba9876547f80)};
  }
}

/// Of a binary float of 16 bits with so many bits of fraction: as edge_values.
inline std::vector<std::uint16_t> half_values(unsigned fraction_bits) {
  const auto infinity = static_cast<std::uint16_t>(0x7fff >> fraction_bits << fraction_bits);
  const auto smallest_normal = static_cast<std::uint16_t>(1 << fraction_bits);
  const std::uint16_t positive[] = {
      0,      1,      static_cast<std::uint16_t>(smallest_normal - 1), smallest_normal,
      0x3c00, 0x4248, static_cast<std::uint16_t>(infinity - 1),        infinity,
      0x7fff};
  std::vector<std::uint16_t> values;
  for (const std::uint16_t value : positive) {
    values.push_back(value);
    values.push_back(static_cast<std::uint16_t>(value | 0x8000));
  }
  return values;
}

/// Each a vector as long as the others; together they hold every combination.
template <class... A>
std::tuple<std::vector<A>...> combinations(const std::vector<A>&... values) {
  const std::size_t count = (std::size_t{1} * ... * values.size());
  std::size_t repeated = 1;
  const auto spread = [&]<class T>(const std::vector<T>& each) {
    std::vector<T> result;
    result.reserve(count);
    for (std::size_t i = 0; i < count; ++i) result.push_back(each[i / repeated % each.size()]);
    repeated *= each.size();
    return result;
  };
  return std::tuple<std::vector<A>...>{spread(values)...};
}

namespace snippet {

template <class T>
auto printable(T value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<int>(value);
  } else {
    return value;
  }
}

}  // namespace snippet

/// Register d after the instructions must be expected(a, b, ...) for all combinations of the values.
template <class R, class Expected, class... A>
void check_combinations(std::string_view instructions, Expected expected, const std::vector<A>&... values) {
  const auto all = combinations(values...);
  const auto results =
      std::apply([&](const auto&... arrays) { return evaluate<R>(instructions, arrays...); }, all);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto wanted =
        std::apply([&](const auto&... arrays) { return static_cast<R>(expected(arrays[i]...)); }, all);
    if (results[i] == wanted) continue;
    std::string sources;
    std::apply(
        [&](const auto&... arrays) { ((sources += fmt::format("{} ", snippet::printable(arrays[i]))), ...); },
        all);
    FAIL(fmt::format("{} of {}is {}, not {}", instructions, sources, snippet::printable(results[i]),
                     snippet::printable(wanted)));
  }
  SUCCEED();
}

/// The emulator must refuse the instruction, naming it. It may use the scratch registers.
inline void check_refused(std::string_view instruction) {
  INFO(instruction);
  const auto result = try_evaluate<std::uint32_t>(instruction, std::vector<std::uint32_t>{0});
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::load_failed);
  const std::string_view without_semicolon = instruction.substr(0, instruction.find(';'));
  CHECK(result.error().message.find(without_semicolon) != std::string::npos);
}

}  // namespace lathe::tests
