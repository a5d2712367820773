// What comparisons give, by the order of two values in a wide type.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

namespace lathe::tests {

/// What holds of two values.
struct Outcome {
  bool less = false;
  bool equal = false;
  bool greater = false;
  bool unordered = false;
};

template <class T>
Outcome outcome(T a, T b) {
  return {a < b, a == b, a > b, !(a < b) && !(a == b) && !(a > b)};
}

struct Relation {
  std::string_view name;
  std::function<bool(const Outcome&)> holds;
};

/// Those of every type.
inline std::vector<Relation> equalities() {
  return {{"eq", [](const Outcome& o) { return o.equal; }},
          {"ne", [](const Outcome& o) { return o.less || o.greater; }}};
}

inline std::vector<Relation> ordered() {
  auto all = equalities();
  all.push_back({"lt", [](const Outcome& o) { return o.less; }});
  all.push_back({"le", [](const Outcome& o) { return o.less || o.equal; }});
  all.push_back({"gt", [](const Outcome& o) { return o.greater; }});
  all.push_back({"ge", [](const Outcome& o) { return o.greater || o.equal; }});
  return all;
}

/// Those of unsigned types.
inline std::vector<Relation> unsigned_relations() {
  auto all = ordered();
  all.push_back({"lo", [](const Outcome& o) { return o.less; }});
  all.push_back({"ls", [](const Outcome& o) { return o.less || o.equal; }});
  all.push_back({"hi", [](const Outcome& o) { return o.greater; }});
  all.push_back({"hs", [](const Outcome& o) { return o.greater || o.equal; }});
  return all;
}

/// Those of floats.
inline std::vector<Relation> float_relations() {
  auto all = ordered();
  for (const Relation& relation : ordered()) {
    if (relation.name == "ne") {
      all.push_back({"neu", [](const Outcome& o) { return !o.equal; }});
    } else if (relation.name == "eq") {
      all.push_back({"equ", [](const Outcome& o) { return o.equal || o.unordered; }});
    } else {
      const auto holds = relation.holds;
      const std::string_view name = relation.name == "lt"   ? "ltu"
                                    : relation.name == "le" ? "leu"
                                    : relation.name == "gt" ? "gtu"
                                                            : "geu";
      all.push_back({name, [holds](const Outcome& o) { return o.unordered || holds(o); }});
    }
  }
  all.push_back({"num", [](const Outcome& o) { return !o.unordered; }});
  all.push_back({"nan", [](const Outcome& o) { return o.unordered; }});
  return all;
}

/// The value of a float of 16 bits with so many bits of fraction.
inline double half_value(std::uint32_t bits, int fraction_bits, bool is_flushed = false) {
  const int exponent_bits = 15 - fraction_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits & ((1U << exponent_bits) - 1));
  const double fraction = std::ldexp(bits & ((1U << fraction_bits) - 1), -fraction_bits);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return is_flushed ? sign * 0.0 : sign * std::ldexp(fraction, 1 - bias);
  return sign * std::ldexp(1 + fraction, exponent - bias);
}

inline constexpr auto kAsItIs = [](auto value) { return value; };
inline constexpr auto kFlushed = [](float value) {
  return std::abs(value) < std::numeric_limits<float>::min() ? 0.0F : value;
};
inline constexpr auto kF16 = [](std::uint32_t bits) { return half_value(bits & 0xffff, 10); };
inline constexpr auto kFlushedF16 = [](std::uint32_t bits) { return half_value(bits & 0xffff, 10, true); };
inline constexpr auto kBf16 = [](std::uint32_t bits) { return half_value(bits & 0xffff, 7); };

/// Words whose halves are those values, each with some others.
inline std::vector<std::uint32_t> pairs_of(const std::vector<std::uint16_t>& halves) {
  std::vector<std::uint32_t> words;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const std::uint32_t high = halves[(i * 5 + 3) % halves.size()];
    words.push_back(high << 16 | halves[i]);
  }
  return words;
}

struct BooleanOperation {
  std::string_view name;
  std::function<bool(bool, bool)> apply;
};

inline std::vector<BooleanOperation> boolean_operations() {
  return {{"and", std::logical_and<>()}, {"or", std::logical_or<>()}, {"xor", std::not_equal_to<>()}};
}

}  // namespace lathe::tests
