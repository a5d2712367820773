// DeepSeek V3: Llama's norms, and one for each of the compressed queries and the compressed keys and values.
#include "tools/models/norm_rules.h"

namespace lathe::models {

Result<void> plan_deepseek_v3(const ModelConfig& config, UseList& uses) {
  if (config.kv_lora_rank == 0) {
    return Error{.code = ErrorCode::invalid_argument,
                 .stage = Stage::api,
                 .message = "deepseek_v3: kv_lora_rank is missing, expected a positive integer",
                 .hint = "multi-head latent attention compresses keys and values to that many elements"};
  }
  add_pre_norms(config, llama_norm(config), uses);
  RmsNormSpec compressed = llama_norm(config);
  if (config.q_lora_rank > 0) {
    compressed.hidden_size = config.q_lora_rank;
    uses.add(compressed, config.layers, "q_a_layernorm");
  }
  // Its rows are the first part of longer ones: the row stride, an argument, is kv_lora_rank +
  // qk_rope_head_dim.
  compressed.hidden_size = config.kv_lora_rank;
  uses.add(compressed, config.layers, "kv_a_layernorm");
  return {};
}

}  // namespace lathe::models
