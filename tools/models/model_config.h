// ModelConfig: what the rules need of a model's config.json, in the form that Hugging Face publishes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/dtype.h>
#include <lathe/error.h>

#include "tools/models/rope_config.h"

namespace lathe::models {

struct ModelConfig {
  std::string model_type;  ///< "llama", ...
  DType dtype = bf16;      ///< of activations and weights
  std::int64_t hidden_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;          ///< heads when the file does not say
  std::int64_t head_dim = 0;          ///< hidden_size / heads when the file does not say
  std::int64_t q_lora_rank = 0;       ///< 0: queries are not compressed
  std::int64_t kv_lora_rank = 0;      ///< 0: keys and values are not compressed
  std::int64_t qk_rope_head_dim = 0;  ///< elements per head that are rotated apart from the others; 0: none
  double epsilon = 1e-6;
  RopeConfig rope{};
  std::vector<std::string> assumed{};  ///< what the file did not say: "rms_norm_eps: 1e-06"
};

/// Reads the text of a config.json; of a multimodal model, its text_config. Errors: invalid_argument naming
/// the field that is missing or of the wrong type. `name` is how messages call the file.
Result<ModelConfig> parse_config(std::string_view json, std::string_view name);

}  // namespace lathe::models
