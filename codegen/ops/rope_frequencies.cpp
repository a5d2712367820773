#include "codegen/ops/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "codegen/ops/rope_frequencies_fields.h"
#include "codegen/wide_float.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error bad(std::string_view path, std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = fmt::format("{}{}", path, message),
          .hint = std::move(hint)};
}

bool is_one_of(RopeScaling scaling, std::initializer_list<RopeScaling> list) {
  return std::find(list.begin(), list.end(), scaling) != list.end();
}

/// A field that the scaling does not use has its default, so that nobody believes it to be in force.
Result<void> check_unused(const RopeFrequencies& given, std::string_view path) {
  using enum RopeScaling;
  const RopeScaling scaling = given.scaling;
  const RopeFrequencies unset;
  const auto is_changed = [&](auto member) { return given.*member != unset.*member; };
  using F = RopeFrequencies;
  struct Use {
    const char* name;
    bool is_changed;
    bool is_used;
  };
  const Use uses[] = {
      {"factor", is_changed(&F::factor), scaling != none},
      {"original_positions", is_changed(&F::original_positions),
       is_one_of(scaling, {dynamic_ntk, llama3, yarn, longrope})},
      {"low_frequency_factor", is_changed(&F::low_frequency_factor), scaling == llama3},
      {"high_frequency_factor", is_changed(&F::high_frequency_factor), scaling == llama3},
      {"beta_fast", is_changed(&F::beta_fast), scaling == yarn},
      {"beta_slow", is_changed(&F::beta_slow), scaling == yarn},
      {"truncate", is_changed(&F::truncate), scaling == yarn},
      {"mscale", is_changed(&F::mscale), scaling == yarn},
      {"mscale_all_dim", is_changed(&F::mscale_all_dim), scaling == yarn},
      {"short_factor", is_changed(&F::short_factor), scaling == longrope},
      {"long_factor", is_changed(&F::long_factor), scaling == longrope},
      {"length", is_changed(&F::length), is_one_of(scaling, {dynamic_ntk, longrope})},
      {"attention_factor", is_changed(&F::attention_factor), is_one_of(scaling, {yarn, longrope})}};
  for (const Use& use : uses) {
    if (use.is_changed && !use.is_used) {
      return bad(
          path,
          fmt::format("{} is given, but scaling is {}, which does not use it", use.name, enum_name(scaling)),
          "leave it out, or choose the scaling that it belongs to");
    }
  }
  return {};
}

Result<void> check_list(const char* name, const std::vector<double>& list, std::int64_t pairs,
                        std::string_view path) {
  if (static_cast<std::int64_t>(list.size()) != pairs) {
    return bad(path, fmt::format("{} has {} numbers, expected {}", name, list.size(), pairs),
               "longrope has one per pair, rotary_dim / 2");
  }
  return {};
}

Result<void> check_scaling(const RopeFrequencies& given, std::int64_t rotary_dim, std::string_view path) {
  using enum RopeScaling;
  const RopeScaling scaling = given.scaling;
  if (is_one_of(scaling, {dynamic_ntk, llama3, yarn, longrope}) && given.original_positions < 1) {
    return bad(
        path,
        fmt::format("original_positions is {}, but scaling is {}, which needs it", given.original_positions,
                    enum_name(scaling)),
        "it is original_max_position_embeddings, or max_position_embeddings, of the model's configuration");
  }
  if (is_one_of(scaling, {ntk, dynamic_ntk}) && rotary_dim < 4)
    return bad(path,
               fmt::format("scaling is {}, which needs a rotary_dim of at least 4, not {}",
                           enum_name(scaling), rotary_dim),
               {});
  if (scaling == llama3 && !(given.low_frequency_factor < given.high_frequency_factor)) {
    return bad(path,
               fmt::format("low_frequency_factor is {}, not below high_frequency_factor, which is {}",
                           given.low_frequency_factor, given.high_frequency_factor),
               {});
  }
  if (scaling == yarn && !(given.beta_slow <= given.beta_fast))
    return bad(
        path,
        fmt::format("beta_slow is {}, more than beta_fast, which is {}", given.beta_slow, given.beta_fast),
        {});
  if (scaling == yarn && given.theta == 1.0)
    return bad(path, "theta is 1, but scaling yarn needs pairs that turn at different speeds", {});
  if (scaling == longrope) {
    LATHE_CHECK(check_list("short_factor", given.short_factor, rotary_dim / 2, path));
    LATHE_CHECK(check_list("long_factor", given.long_factor, rotary_dim / 2, path));
    if (given.original_positions < 2)
      return bad(path, "original_positions is 1, but scaling longrope needs at least 2", {});
  }
  return {};
}

double attention_factor_of(const RopeFrequencies& f) {
  if (f.attention_factor) return *f.attention_factor;
  if (f.factor <= 1) return 1;
  const double log_factor = std::log(f.factor);
  if (f.scaling == RopeScaling::longrope)
    return std::sqrt(1 + log_factor / std::log(static_cast<double>(f.original_positions)));
  const auto of_mscale = [&](double mscale) { return 0.1 * mscale * log_factor + 1; };
  if (f.mscale != 0 && f.mscale_all_dim != 0) return of_mscale(f.mscale) / of_mscale(f.mscale_all_dim);
  return of_mscale(1);
}

/// Theta, changed where the scaling changes it.
WideFloat base_of(const RopeFrequencies& f, std::int64_t rotary_dim) {
  const auto dim = static_cast<WideFloat>(rotary_dim);
  WideFloat growth = f.factor;
  if (f.scaling == RopeScaling::dynamic_ntk) {
    const auto original = static_cast<WideFloat>(f.original_positions);
    const auto length = static_cast<WideFloat>(std::max(f.length, f.original_positions));
    growth = f.factor * length / original - (static_cast<WideFloat>(f.factor) - 1);
  } else if (f.scaling != RopeScaling::ntk) {
    return f.theta;
  }
  return f.theta * power_of(growth, dim / (dim - 2));
}

/// The first and the last pair of yarn's straight line.
std::pair<WideFloat, WideFloat> yarn_range(const RopeFrequencies& f, std::int64_t rotary_dim) {
  const auto pair_with = [&](double rotations) {
    const WideFloat positions_per_radian = f.original_positions / (rotations * 2 * kPi);
    return rotary_dim * log_of(positions_per_radian) / (2 * log_of(f.theta));
  };
  const auto floor_of = [](WideFloat value) {
    const auto whole = static_cast<WideFloat>(static_cast<std::int64_t>(value));
    return whole > value ? whole - 1 : whole;
  };
  WideFloat low = pair_with(f.beta_fast);
  WideFloat high = pair_with(f.beta_slow);
  if (f.truncate) {
    low = floor_of(low);
    high = -floor_of(-high);
  }
  const auto last = static_cast<WideFloat>(rotary_dim - 1);
  low = low > 0 ? low : WideFloat{0};
  high = high < last ? high : last;
  // The formula's own guard against a division by zero.
  if (high == low) high += static_cast<WideFloat>(0.001);
  return {low, high};
}

WideFloat clamped_to_unit(WideFloat value) {
  return value < 0 ? WideFloat{0} : value > 1 ? WideFloat{1} : value;
}

/// Between the frequency divided by factor, at 0, and itself, at 1.
WideFloat blended(WideFloat frequency, WideFloat kept, double factor) {
  return (1 - kept) * frequency / factor + kept * frequency;
}

WideFloat llama3_of(const RopeFrequencies& f, WideFloat frequency) {
  const WideFloat turns = f.original_positions * frequency / (2 * kPi);
  const WideFloat low = f.low_frequency_factor;
  const WideFloat high = f.high_frequency_factor;
  return blended(frequency, clamped_to_unit((turns - low) / (high - low)), f.factor);
}

/// The fraction of a turn, times 2^64. REQUIRES: not negative.
std::uint64_t fraction_of_turn(WideFloat radians) {
  WideFloat turns = radians / (2 * kPi);
  turns -= static_cast<WideFloat>(static_cast<std::uint64_t>(turns));
  constexpr WideFloat kTurn = static_cast<WideFloat>(0x1p64);
  const WideFloat scaled = turns * kTurn + static_cast<WideFloat>(0.5);
  // A whole turn is none.
  return scaled >= kTurn ? 0 : static_cast<std::uint64_t>(scaled);
}

}  // namespace

Result<RopeFrequencies> normalize_frequencies(const RopeFrequencies& given, std::int64_t rotary_dim,
                                              std::string_view path) {
  LATHE_CHECK(check_unused(given, path));
  LATHE_CHECK(check_scaling(given, rotary_dim, path));
  RopeFrequencies result = given;
  if (is_one_of(given.scaling, {RopeScaling::yarn, RopeScaling::longrope}))
    result.attention_factor = static_cast<double>(static_cast<float>(attention_factor_of(given)));
  result.mscale = 0;
  result.mscale_all_dim = 0;
  return result;
}

std::vector<std::uint64_t> turns_per_position(const RopeFrequencies& f, std::int64_t rotary_dim) {
  using enum RopeScaling;
  const WideFloat ratio = power_of(base_of(f, rotary_dim), WideFloat{-2} / rotary_dim);
  const auto [low, high] =
      f.scaling == yarn ? yarn_range(f, rotary_dim) : std::pair<WideFloat, WideFloat>{0, 1};
  const std::vector<double>& factors = f.length > f.original_positions ? f.long_factor : f.short_factor;
  std::vector<std::uint64_t> turns;
  WideFloat frequency = 1;
  for (std::int64_t pair = 0; pair < rotary_dim / 2; ++pair, frequency *= ratio) {
    WideFloat radians = frequency;
    if (f.scaling == linear) radians = frequency / f.factor;
    if (f.scaling == llama3) radians = llama3_of(f, frequency);
    if (f.scaling == yarn)
      radians = blended(frequency, 1 - clamped_to_unit((pair - low) / (high - low)), f.factor);
    if (f.scaling == longrope) radians = frequency / factors[static_cast<std::size_t>(pair)];
    turns.push_back(fraction_of_turn(radians));
  }
  return turns;
}

std::string array_literal(const std::vector<std::uint64_t>& turns) {
  std::string text = "{";
  for (const std::uint64_t value : turns) text += fmt::format("{}{:#x}", text.size() > 1 ? ", " : "", value);
  return text + "}";
}

}  // namespace lathe::codegen
