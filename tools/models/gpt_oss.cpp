// GPT-OSS: Llama's places, but the weight is multiplied before the only rounding.
#include "tools/models/norm_rules.h"
#include "tools/models/rope_rules.h"

namespace lathe::models {

Result<void> plan_gpt_oss(const ModelConfig& config, UseList& uses) {
  RmsNormSpec norm = llama_norm(config);
  norm.casting = Casting::gemma;
  add_pre_norms(config, norm, uses);
  add_rope(config, llama_rope(config), config.layers, uses);
  return {};
}

}  // namespace lathe::models
