// Gemma 2: four norms per layer, weights stored as their difference from 1, one rounding at the end.
#include "tools/models/norm_rules.h"

namespace lathe::models {

Result<void> plan_gemma2(const ModelConfig& config, UseList& uses) {
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
  return {};
}

}  // namespace lathe::models
