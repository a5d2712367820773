// Gemma 2 and 3: four norms per layer, weights stored as their difference from 1, one rounding at the end.
// Gemma 3 also normalises heads.
#include "tools/models/norm_rules.h"
#include "tools/models/rope_rules.h"

namespace lathe::models {

namespace {

/// Four norms per layer and one at the end.
void add_norms(const ModelConfig& config, UseList& uses) {
  const RmsNormSpec norm{.hidden_size = config.hidden_size,
                         .dtype = config.dtype,
                         .weight_offset = 1.0,
                         .casting = Casting::gemma};
  RmsNormSpec with_residual = norm;
  with_residual.residual = Residual::round_then_norm;
  uses.add(norm, 1, "input_layernorm of the first layer");
  // These two normalise what attention and the MLP return, before the residual is added.
  uses.add(norm, config.layers, "post_attention_layernorm");
  uses.add(norm, config.layers, "post_feedforward_layernorm");
  uses.add(with_residual, config.layers - 1, "input_layernorm of the other layers");
  uses.add(with_residual, config.layers, "pre_feedforward_layernorm");
  uses.add(with_residual, 1, "final norm");
}

}  // namespace

Result<void> plan_gemma2(const ModelConfig& config, UseList& uses) {
  add_norms(config, uses);
  add_rope(config, llama_rope(config), config.layers, uses);
  return {};
}

Result<void> plan_gemma3(const ModelConfig& config, UseList& uses) {
  add_norms(config, uses);
  RopeSpec rope = llama_rope(config);
  rope.qk_norm = true;
  rope.norm_weight_offset = 1.0;
  // Most layers see a window only; their embedding has a theta of its own, and no scaling.
  const std::int64_t global =
      config.rope.local_theta > 0 ? config.layers / config.rope.sliding_pattern : config.layers;
  add_rope(config, rope, global, uses);
  rope.frequencies = {.theta = config.rope.local_theta};
  if (global < config.layers) uses.add(rope, config.layers - global, "rotary embedding of sliding windows");
  return {};
}

}  // namespace lathe::models
