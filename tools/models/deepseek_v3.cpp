// DeepSeek V3: Llama's norms, and one for each of the compressed queries and the compressed keys and values.
#include "tools/models/norm_rules.h"
#include "tools/models/rope_rules.h"

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
  // The rotated part is the last of each query head, and the last of the one row that all heads share as key:
  // pointers to it, and the strides of the whole, are arguments.
  if (config.qk_rope_head_dim > 0) {
    RopeSpec rope = llama_rope(config);
    rope.kv_heads = 1;
    rope.head_dim = config.qk_rope_head_dim;
    rope.pairs = RopePairs::interleaved;
    add_rope(config, rope, config.layers, uses);
  }
  return {};
}

}  // namespace lathe::models
