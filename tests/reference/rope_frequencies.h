// Frequencies of rotary embeddings by their published formulas, in long double.
#pragma once

#include <cstdint>
#include <vector>

#include <lathe/rope_frequencies.h>

namespace lathe::reference {

/// Radians per position, one per pair.
std::vector<long double> rope_frequencies(const RopeFrequencies& frequencies, std::int64_t rotary_dim);

/// What sin and cos are multiplied by.
double rope_attention_factor(const RopeFrequencies& frequencies);

}  // namespace lathe::reference
