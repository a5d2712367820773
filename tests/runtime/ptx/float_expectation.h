// Checks of a floating-point instruction against a function, for all pairs (or triples) of sample values.
#pragma once

#include <fmt/format.h>

#include "tests/runtime/ptx/float_samples.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_snippet.h"

namespace lathe::tests {

/// Results must have the very bits expected.
template <class T, class Expected, class... A>
void check_results(const std::string& instruction, Expected expected, const std::vector<A>&... operands) {
  const auto results = evaluate<T>(instruction, operands...);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const T wanted = expected(operands[i]...);
    if (runtime::ptx::to_bits(results[i]) == runtime::ptx::to_bits(wanted)) continue;
    if (++wrong > 4) continue;
    std::string values;
    ((values += shown(operands[i]) + ", "), ...);
    UNSCOPED_INFO(instruction << " " << values << ": " << shown(results[i]) << ", not " << shown(wanted));
  }
  INFO(instruction);
  CHECK(wrong == 0);
}

template <class T, class Expected>
void check_unary(const std::string& name, Expected expected, std::size_t random_count = 500) {
  check_results<T>(name + " d, a;", expected, samples<T>(random_count));
}

template <class T, class Expected>
void check_binary(const std::string& name, Expected expected, std::size_t random_count = 24) {
  const auto& [as, bs] = pairs_of(samples<T>(random_count));
  check_results<T>(name + " d, a, b;", expected, as, bs);
}

/// All pairs of edges with some third values.
template <class T, class Expected>
void check_ternary(const std::string& name, Expected expected) {
  const auto& [as, bs] = pairs_of(samples<T>(12));
  std::vector<T> cs;
  const auto thirds = samples<T>(29, 7);  // 67, coprime to the number of pairs
  for (std::size_t i = 0; i < as.size(); ++i) cs.push_back(thirds[i % thirds.size()]);
  check_results<T>(name + " d, a, b, c;", expected, as, bs, cs);
}

/// The same of both halves: operands are the samples with the samples backwards in the upper half.
template <class T, class Expected>
void check_packed_binary(const std::string& name, Expected expected) {
  using runtime::ptx::Pair;
  using runtime::ptx::to_bits;
  const auto& [as, bs] = pairs_of(samples<T>(20));
  std::vector<Pair<T>> xs;
  std::vector<Pair<T>> ys;
  for (std::size_t i = 0; i < as.size(); ++i) {
    xs.push_back({as[i], bs[i]});
    ys.push_back({bs[as.size() - 1 - i], as[as.size() - 1 - i]});
  }
  const auto results = evaluate<Pair<T>>(name + " d, a, b;", xs, ys);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (to_bits(results[i].low) != to_bits(T{expected(xs[i].low, ys[i].low)})) ++wrong;
    if (to_bits(results[i].high) != to_bits(T{expected(xs[i].high, ys[i].high)})) ++wrong;
  }
  INFO(name);
  CHECK(wrong == 0);
}

/// Decoding the instruction, whose operands are registers of kScratch, is an error that names it.
inline void check_refused(const std::string& instruction) {
  INFO(instruction);
  const auto result =
      try_evaluate<std::uint32_t>(instruction + ";\nmov.b32 d, a;", std::vector<std::uint32_t>{1});
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().text().find(fmt::format("`{}`", instruction)) != std::string::npos);
}

}  // namespace lathe::tests
