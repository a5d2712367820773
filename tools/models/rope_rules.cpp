#include "tools/models/rope_rules.h"

namespace lathe::models {

RopeSpec llama_rope(const ModelConfig& config) {
  RopeSpec rope{.heads = config.heads,
                .kv_heads = config.kv_heads,
                .head_dim = config.head_dim,
                .dtype = config.dtype,
                .frequencies = config.rope.frequencies,
                .sections = config.rope.sections};
  // Whole pairs.
  if (config.rope.rotated_part < 1)
    rope.rotary_dim =
        static_cast<std::int64_t>(static_cast<double>(config.head_dim) * config.rope.rotated_part) / 2 * 2;
  if (config.rope.sections_interleaved) rope.section_order = RopeSections::interleaved;
  return rope;
}

void add_rope(const ModelConfig& config, const RopeSpec& rope, std::int64_t layers, UseList& uses) {
  if (rope.frequencies.scaling != RopeScaling::longrope) {
    uses.add(rope, layers, "rotary embedding");
    return;
  }
  uses.add(rope, layers, "rotary embedding of short sequences");
  RopeSpec longer = rope;
  longer.frequencies.length = config.rope.max_positions;
  uses.add(longer, layers, "rotary embedding of long sequences");
}

}  // namespace lathe::models
