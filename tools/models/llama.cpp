// Llama and those that share its norms and rotary embedding: Mistral, Mixtral, Qwen 2 and, with a norm per
// head, Qwen 3.
#include "tools/models/norm_rules.h"
#include "tools/models/rope_rules.h"

namespace lathe::models {

RmsNormSpec llama_norm(const ModelConfig& config) {
  return {.hidden_size = config.hidden_size, .dtype = config.dtype, .casting = Casting::llama};
}

void add_pre_norms(const ModelConfig& config, const RmsNormSpec& norm, UseList& uses) {
  RmsNormSpec with_residual = norm;
  // Hugging Face stores the sum in the dtype and normalises what it stored.
  with_residual.residual = Residual::round_then_norm;
  uses.add(norm, 1, "input_layernorm of the first layer");
  uses.add(with_residual, config.layers - 1, "input_layernorm of the other layers");
  uses.add(with_residual, config.layers, "post_attention_layernorm");
  uses.add(with_residual, 1, "final norm");
}

Result<void> plan_llama(const ModelConfig& config, UseList& uses) {
  add_pre_norms(config, llama_norm(config), uses);
  add_rope(config, llama_rope(config), config.layers, uses);
  return {};
}

Result<void> plan_qwen3(const ModelConfig& config, UseList& uses) {
  add_pre_norms(config, llama_norm(config), uses);
  // Each head of q and k is normalised on the way, with the roundings of a norm of its own.
  RopeSpec rope = llama_rope(config);
  rope.qk_norm = true;
  rope.norm_casting = Casting::llama;
  add_rope(config, rope, config.layers, uses);
  return {};
}

}  // namespace lathe::models
