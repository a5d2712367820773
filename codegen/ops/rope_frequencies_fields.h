// The field list of a rotary embedding's frequencies.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include <lathe/rope_frequencies.h>

#include "codegen/field.h"

namespace lathe::codegen {

template <>
struct EnumNames<RopeScaling> {
  static constexpr std::array<std::string_view, 7> names{"none",   "linear", "ntk",     "dynamic_ntk",
                                                         "llama3", "yarn",   "longrope"};
};

template <>
struct SpecFields<RopeFrequencies> {
  using S = RopeFrequencies;
  template <class T>
  using F = Field<S, T>;
  using Factors = std::vector<double>;

  static constexpr std::tuple fields{
      F<RopeScaling>{"scaling", &S::scaling, {}, "", "how frequencies are changed for longer contexts"},
      F<double>{"theta", &S::theta, {1, 1e15}, "", "pair i's frequency is theta^(-2i / rotary_dim)"},
      F<double>{"factor", &S::factor, {1e-6, 1e6}, "", "of the scaling: how much longer contexts are"},
      F<std::int64_t>{"original_positions",
                      &S::original_positions,
                      {0, std::int64_t{1} << 40},
                      "positions",
                      "length first trained for: dynamic_ntk, llama3, yarn, longrope"},
      F<double>{"low_frequency_factor", &S::low_frequency_factor, {1e-6, 1e6}, "turns", "llama3"},
      F<double>{"high_frequency_factor", &S::high_frequency_factor, {1e-6, 1e6}, "turns", "llama3"},
      F<double>{"beta_fast", &S::beta_fast, {1e-6, 1e6}, "turns", "yarn: pairs with more are kept"},
      F<double>{"beta_slow", &S::beta_slow, {1e-6, 1e6}, "turns", "yarn: pairs with fewer are divided"},
      F<bool>{"truncate", &S::truncate, {}, "", "yarn: limits are rounded outwards to whole pairs"},
      F<double>{"mscale", &S::mscale, {0, 1e3}, "", "yarn: of the attention factor"},
      F<double>{"mscale_all_dim", &S::mscale_all_dim, {0, 1e3}, "", "yarn: of the attention factor"},
      F<Factors>{"short_factor", &S::short_factor, {512, {1e-6, 1e6}}, "", "longrope: one per pair"},
      F<Factors>{"long_factor", &S::long_factor, {512, {1e-6, 1e6}}, "", "longrope: one per pair"},
      F<std::int64_t>{"length",
                      &S::length,
                      {0, std::int64_t{1} << 40},
                      "positions",
                      "dynamic_ntk, longrope: longest sequence; 0: original_positions"},
      F<std::optional<double>>{"attention_factor",
                               &S::attention_factor,
                               {1e-6, 1e6},
                               "",
                               "yarn, longrope: of sin and cos; unset: by the formula"}};
};

}  // namespace lathe::codegen
