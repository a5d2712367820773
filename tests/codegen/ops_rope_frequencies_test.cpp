#include "codegen/ops/rope_frequencies.h"

#include <cmath>
#include <numbers>
#include <string>

#include "templates/common/rotation.h"
#include "tests/reference/rope_frequencies.h"
#include "tests/support/catch.h"

using lathe::RopeFrequencies;
using lathe::RopeScaling;
using namespace lathe::codegen;

namespace {

RopeFrequencies normalized(const RopeFrequencies& given, std::int64_t rotary_dim = 64) {
  return normalize_frequencies(given, rotary_dim, "rope: frequencies.").value();
}

std::string refusal(const RopeFrequencies& given, std::int64_t rotary_dim = 64) {
  const auto result = normalize_frequencies(given, rotary_dim, "rope: frequencies.");
  REQUIRE(!result);
  CHECK(result.error().code == lathe::ErrorCode::invalid_spec);
  return result.error().message;
}

RopeFrequencies longrope() {
  RopeFrequencies f{.scaling = RopeScaling::longrope, .factor = 32, .original_positions = 4096};
  for (int i = 0; i < 32; ++i) {
    f.short_factor.push_back(1 + i * 0.125);
    f.long_factor.push_back(1 + i * i * 0.0625);
  }
  return f;
}

const RopeFrequencies kEveryScaling[] = {
    {},
    {.theta = 5e5},
    {.scaling = RopeScaling::linear, .factor = 8},
    {.scaling = RopeScaling::linear, .factor = 0.01},  // more than a turn per position
    {.scaling = RopeScaling::ntk, .theta = 1e6, .factor = 4},
    {.scaling = RopeScaling::dynamic_ntk, .factor = 2, .original_positions = 2048, .length = 16384},
    {.scaling = RopeScaling::llama3, .theta = 5e5, .factor = 8, .original_positions = 8192},
    {.scaling = RopeScaling::yarn,
     .factor = 40,
     .original_positions = 4096,
     .mscale = 1,
     .mscale_all_dim = 1},
    {.scaling = RopeScaling::yarn,
     .theta = 150000,
     .factor = 32,
     .original_positions = 4096,
     .truncate = false},
    longrope()};

}  // namespace

TEST_CASE("turns per position are the reference's frequencies") {
  for (const RopeFrequencies& given : kEveryScaling) {
    const auto turns = turns_per_position(normalized(given), 64);
    const auto expected = lathe::reference::rope_frequencies(given, 64);
    REQUIRE(turns.size() == expected.size());
    for (std::size_t i = 0; i < turns.size(); ++i) {
      INFO(static_cast<int>(given.scaling) << ", pair " << i);
      const long double fraction = std::fmod(expected[i] / (2 * std::numbers::pi_v<long double>), 1.0L);
      // As far as a long double of 64 bits goes.
      const long double room = 0x1p-61L * std::max(1.0L, expected[i]);
      CHECK(std::abs(static_cast<long double>(turns[i]) * 0x1p-64L - fraction) < room);
    }
  }
}

TEST_CASE("turns per position are the same numbers everywhere") {
  // One radian is 1 / 2 pi of a turn: 0.28BE60DB9391054A7F... in hexadecimal.
  CHECK(array_literal(turns_per_position({}, 2)) == "{0x28be60db9391054a}");
  // Divided by 10 from pair to pair; frozen, because they are part of kernels' keys.
  CHECK(array_literal(turns_per_position({}, 8)) ==
        "{0x28be60db9391054a, 0x41309af8ec1b3bb, 0x684dc4c179c52c, 0xa6e2d468c2d51}");
  CHECK(array_literal(turns_per_position({.scaling = RopeScaling::linear, .factor = 0x1p40}, 2)) ==
        "{0x28be61}");
}

TEST_CASE("a frequency of many turns per position keeps what is left of them") {
  // 100 radians are 15.9154943 turns.
  const auto turns = turns_per_position({.scaling = RopeScaling::linear, .factor = 0.01}, 2);
  CHECK(std::abs(static_cast<double>(turns[0]) * 0x1p-64 - 0.91549430918953357) < 1e-15);
}

TEST_CASE("normalizing resolves the attention factor") {
  const RopeFrequencies yarn =
      normalized({.scaling = RopeScaling::yarn, .factor = 32, .original_positions = 4096});
  CHECK(yarn.attention_factor == static_cast<double>(1.3465735902799727f));
  const RopeFrequencies deepseek = normalized({.scaling = RopeScaling::yarn,
                                               .factor = 40,
                                               .original_positions = 4096,
                                               .mscale = 1,
                                               .mscale_all_dim = 1});
  CHECK(deepseek.attention_factor == 1.0);
  CHECK(deepseek.mscale == 0);
  CHECK(deepseek.mscale_all_dim == 0);
  CHECK(!normalized({}).attention_factor);
  for (const RopeFrequencies& given : kEveryScaling) {
    const RopeFrequencies once = normalized(given);
    CHECK(normalized(once) == once);
    CHECK(static_cast<float>(lathe::reference::rope_attention_factor(given)) ==
          static_cast<float>(once.attention_factor.value_or(1)));
  }
}

TEST_CASE("a field that the scaling does not use is refused") {
  CHECK(refusal({.factor = 8}) ==
        "rope: frequencies.factor is given, but scaling is none, which does not use it");
  CHECK(refusal({.original_positions = 8}) ==
        "rope: frequencies.original_positions is given, but scaling is none, which does not use it");
  CHECK(
      refusal(
          {.scaling = RopeScaling::yarn, .factor = 2, .original_positions = 8, .low_frequency_factor = 2}) ==
      "rope: frequencies.low_frequency_factor is given, but scaling is yarn, which does not use it");
  CHECK(refusal({.scaling = RopeScaling::linear, .factor = 2, .attention_factor = 2}) ==
        "rope: frequencies.attention_factor is given, but scaling is linear, which does not use it");
}

TEST_CASE("what a scaling needs and does not have is refused") {
  CHECK(refusal({.scaling = RopeScaling::llama3, .factor = 8}) ==
        "rope: frequencies.original_positions is 0, but scaling is llama3, which needs it");
  CHECK(refusal({.scaling = RopeScaling::llama3,
                 .factor = 8,
                 .original_positions = 8192,
                 .low_frequency_factor = 4}) ==
        "rope: frequencies.low_frequency_factor is 4, not below high_frequency_factor, which is 4");
  CHECK(refusal({.scaling = RopeScaling::yarn, .factor = 8, .original_positions = 8192, .beta_slow = 64}) ==
        "rope: frequencies.beta_slow is 64, more than beta_fast, which is 32");
  CHECK(refusal({.scaling = RopeScaling::yarn, .theta = 1, .factor = 8, .original_positions = 8192}) ==
        "rope: frequencies.theta is 1, but scaling yarn needs pairs that turn at different speeds");
  CHECK(refusal({.scaling = RopeScaling::ntk, .factor = 8}, 2) ==
        "rope: frequencies.scaling is ntk, which needs a rotary_dim of at least 4, not 2");
  RopeFrequencies f = longrope();
  f.long_factor.pop_back();
  CHECK(refusal(f) == "rope: frequencies.long_factor has 31 numbers, expected 32");
  f = longrope();
  f.original_positions = 1;
  CHECK(refusal(f) == "rope: frequencies.original_positions is 1, but scaling longrope needs at least 2");
}

TEST_CASE("sin and cos of every eighth of a turn, to some two units in the last place") {
  Angle angle = 1;
  for (int i = 0; i < 200'000; ++i) {
    // Every quarter, many magnitudes of what is left of it, both signs.
    angle = angle * 6364136223846793005u + 1442695040888963407u;
    const Angle near =
        i % 2 == 0 ? angle : (angle & (3ull << 62)) + (angle >> (2 + i % 60)) * (i % 4 == 1 ? 1 : ~0ull);
    const long double radians = 2 * std::numbers::pi_v<long double> * 0x1p-64L *
                                static_cast<long double>(static_cast<long long>(near));
    const auto [sin, cos] = sin_cos_of(near);
    const auto is_near = [](float value, long double expected) {
      return std::abs(static_cast<long double>(value) - expected) <=
             4 * 0x1p-24L * std::abs(expected) + 0x1p-60L;
    };
    if (is_near(sin, std::sin(radians)) && is_near(cos, std::cos(radians))) continue;
    FAIL("angle " << near << ": sin " << sin << ", cos " << cos);
  }
}

TEST_CASE("the angles of whole quarters have sines of 0 and 1") {
  const Angle quarter = Angle{1} << 62;
  for (const auto& [angle, sin, cos] :
       {std::tuple(Angle{0}, 0.0f, 1.0f), std::tuple(quarter, 1.0f, 0.0f),
        std::tuple(2 * quarter, 0.0f, -1.0f), std::tuple(3 * quarter, -1.0f, 0.0f)}) {
    CHECK(sin_cos_of(angle).sin == sin);
    CHECK(sin_cos_of(angle).cos == cos);
  }
}
