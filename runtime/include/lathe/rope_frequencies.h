// How fast each pair of a rotary embedding turns: part of the specs of every op that rotates.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace lathe {

/// How the frequencies theta^(-2i / rotary_dim) of pairs i = 0, 1 ... are changed for contexts longer than
/// the model was first trained for. Names and formulas are those of Hugging Face's rope_type.
enum class RopeScaling : std::uint8_t {
  none,
  linear,       ///< divided by factor
  ntk,          ///< theta times factor^(rotary_dim / (rotary_dim - 2))
  dynamic_ntk,  ///< the same with factor * length / original_positions - (factor - 1), for length beyond it
  llama3,       ///< long waves divided by factor, short ones kept, a straight line between
  yarn,         ///< the same between beta_slow and beta_fast turns, and an attention factor
  longrope,     ///< divided by a list of factors, one per pair, and an attention factor
};

/// What a pair's frequency is made of. Fields that the scaling does not name must be left as they are.
struct RopeFrequencies {
  RopeScaling scaling = RopeScaling::none;
  double theta = 10000.0;
  double factor = 1.0;                  ///< every scaling; longrope: for the attention factor only
  std::int64_t original_positions = 0;  ///< dynamic_ntk, llama3, yarn, longrope: length first trained for
  double low_frequency_factor = 1.0;    ///< llama3
  double high_frequency_factor = 4.0;   ///< llama3
  double beta_fast = 32.0;              ///< yarn: pairs with more turns in original_positions are kept
  double beta_slow = 1.0;               ///< yarn: pairs with fewer are divided by factor
  bool truncate = true;                 ///< yarn: the two limits are rounded outwards to whole pairs
  double mscale = 0.0;                  ///< yarn: with mscale_all_dim, how the attention factor is made
  double mscale_all_dim = 0.0;          ///< yarn
  std::vector<double> short_factor{};   ///< longrope, one per pair: for length up to original_positions
  std::vector<double> long_factor{};    ///< longrope, one per pair: for length beyond it
  std::int64_t length = 0;              ///< dynamic_ntk, longrope: longest sequence; 0: original_positions
  /// yarn, longrope: sin and cos are multiplied by it. Unset: yarn 0.1 * ln(factor) + 1, or with mscales
  /// (0.1 * mscale * ln(factor) + 1) / (0.1 * mscale_all_dim * ln(factor) + 1); longrope
  /// sqrt(1 + ln(factor) / ln(original_positions)).
  std::optional<double> attention_factor{};

  friend bool operator==(const RopeFrequencies&, const RopeFrequencies&) = default;
};

}  // namespace lathe
