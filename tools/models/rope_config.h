// What a model's configuration says of its rotary embedding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/rope_frequencies.h>

namespace lathe::models {

struct RopeConfig {
  RopeFrequencies frequencies{};  ///< of layers that see the whole context
  double local_theta = 0;         ///< of layers with a sliding window, if they have one of their own; else 0
  std::int64_t sliding_pattern = 6;      ///< then, one layer of so many sees the whole context
  double rotated_part = 1.0;             ///< of a head's elements
  std::vector<std::int64_t> sections{};  ///< pairs per position of a token (mRoPE)
  bool sections_interleaved = false;
  std::int64_t max_positions = 0;  ///< longest sequence; 0: not said
};

/// Reads rope_theta, rope_scaling (or rope_parameters, which holds both) and what goes with them, from the
/// text of a config.json's object. Errors: invalid_argument naming the field. `name` is how messages call the
/// file; what is not said and had to be assumed is appended to `assumed`.
Result<RopeConfig> parse_rope_config(std::string_view json, std::string_view name,
                                     std::vector<std::string>& assumed);

}  // namespace lathe::models
