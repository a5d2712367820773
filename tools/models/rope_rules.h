// The rotary embeddings of a model.
#pragma once

#include <lathe/rope.h>

#include "tools/models/model_config.h"
#include "tools/models/norm_rules.h"

namespace lathe::models {

/// The embedding of queries and keys as most models have it: halves of heads, by id.
RopeSpec llama_rope(const ModelConfig& config);

/// Adds it for so many layers. A model with longrope has one for short and one for long sequences; which of
/// them a launch takes depends on the sequence.
void add_rope(const ModelConfig& config, const RopeSpec& rope, std::int64_t layers, UseList& uses);

}  // namespace lathe::models
