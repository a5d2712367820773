// The formulas against numbers worked out by hand.
#include "tests/reference/rope_frequencies.h"

#include <cmath>

#include "tests/support/catch.h"

using lathe::RopeFrequencies;
using lathe::RopeScaling;
using namespace lathe::reference;

namespace {

bool is_near(long double value, long double expected) {
  return std::abs(value - expected) <= 1e-15L * std::abs(expected);
}

long double frequency(const RopeFrequencies& frequencies, std::int64_t rotary_dim, std::size_t pair) {
  return rope_frequencies(frequencies, rotary_dim).at(pair);
}

}  // namespace

TEST_CASE("frequencies fall from 1 in equal ratios") {
  const auto f = rope_frequencies({.theta = 10000}, 8);
  REQUIRE(f.size() == 4);
  CHECK(f[0] == 1);
  CHECK(is_near(f[1], 0.1L));
  CHECK(is_near(f[2], 0.01L));
  CHECK(is_near(f[3], 0.001L));
}

TEST_CASE("linear scaling divides, NTK's changes theta") {
  CHECK(is_near(frequency({.scaling = RopeScaling::linear, .factor = 4}, 4, 1), 0.0025L));
  // 10000 * 4^2 = 160000, whose root is 400.
  CHECK(is_near(frequency({.scaling = RopeScaling::ntk, .factor = 4}, 4, 1), 1 / 400.0L));
  // 2 * 200 / 100 - 1 = 3; 10000 * 3^2 = 90000, whose root is 300. Up to the original length: as it was.
  RopeFrequencies dynamic{
      .scaling = RopeScaling::dynamic_ntk, .factor = 2, .original_positions = 100, .length = 200};
  CHECK(is_near(frequency(dynamic, 4, 1), 1 / 300.0L));
  dynamic.length = 50;
  CHECK(is_near(frequency(dynamic, 4, 1), 0.01L));
}

TEST_CASE("llama3 keeps short waves and divides long ones") {
  RopeFrequencies f{.scaling = RopeScaling::llama3, .factor = 8, .original_positions = 8192};
  // 8192 / 2 pi is 1303.8 turns in all.
  CHECK(frequency(f, 4, 0) == 1);
  f.theta = 1e12;  // pair 1: 1e-6, far below one turn
  CHECK(is_near(frequency(f, 4, 1), 1e-6L / 8));
  f.theta = 1e5;
  // 1e-2.5 * 1303.797 = 4.1229729 turns: kept.
  CHECK(is_near(frequency(f, 4, 1), std::pow(10.0L, -2.5L)));
  f.theta = 1e6;
  // 1.30379729 turns: (1.30379729 - 1) / 3 = 0.1012657642 are kept.
  CHECK(std::abs(frequency(f, 4, 1) - 1e-3L * (0.1012657642L + (1 - 0.1012657642L) / 8)) < 1e-12L);
}

TEST_CASE("yarn's line goes from pair to pair, rounded outwards") {
  // DeepSeek V3: 64 ln(4096 / (32 * 2 pi)) / (2 ln 10000) = 10.47, for one turn 22.51.
  RopeFrequencies f{.scaling = RopeScaling::yarn, .factor = 40, .original_positions = 4096};
  const auto plain = [](int pair) { return std::pow(10000.0L, -2.0L * pair / 64); };
  CHECK(is_near(frequency(f, 64, 10), plain(10)));
  CHECK(is_near(frequency(f, 64, 23), plain(23) / 40));
  CHECK(is_near(frequency(f, 64, 16), plain(16) * (7 / 13.0L + 6 / 13.0L / 40)));
  f.truncate = false;
  CHECK(is_near(frequency(f, 64, 10), plain(10)));
  CHECK(frequency(f, 64, 11) < plain(11) * 0.97L);
  CHECK(frequency(f, 64, 11) > plain(11) * 0.93L);
}

TEST_CASE("longrope divides by the list that the length asks for") {
  RopeFrequencies f{.scaling = RopeScaling::longrope,
                    .factor = 32,
                    .original_positions = 4096,
                    .short_factor = {1, 2},
                    .long_factor = {4, 50},
                    .length = 4096};
  CHECK(is_near(frequency(f, 4, 1), 0.005L));
  f.length = 4097;
  CHECK(frequency(f, 4, 0) == 0.25L);
  CHECK(is_near(frequency(f, 4, 1), 0.0002L));
}

TEST_CASE("attention factors") {
  CHECK(rope_attention_factor({}) == 1);
  RopeFrequencies f{.scaling = RopeScaling::yarn, .factor = 32, .original_positions = 4096};
  CHECK(std::abs(rope_attention_factor(f) - 1.3465735902799727) < 1e-15);
  f.mscale = 1;
  CHECK(std::abs(rope_attention_factor(f) - 1.3465735902799727) < 1e-15);
  f.mscale_all_dim = 1;
  CHECK(rope_attention_factor(f) == 1);
  f.mscale = 0.707;  // DeepSeek V2: (0.0707 * 3.4657359 + 1) / 1.34657359
  CHECK(std::abs(rope_attention_factor(f) - 1.2450275291 / 1.3465735902799727) < 1e-9);
  f.attention_factor = 1.5;
  CHECK(rope_attention_factor(f) == 1.5);
  // Phi 3.5: sqrt(1 + ln 32 / ln 4096) = sqrt(1 + 5 / 12).
  CHECK(std::abs(rope_attention_factor(
                     {.scaling = RopeScaling::longrope, .factor = 32, .original_positions = 4096}) -
                 std::sqrt(17.0 / 12)) < 1e-15);
}
