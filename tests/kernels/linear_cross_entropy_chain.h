// linear_cross_entropy's modes one after the other, as engines launch them: what one stores, the next reads.
#pragma once

#include <string>
#include <vector>

#include "tests/kernels/linear_cross_entropy_case.h"

namespace lathe::tests {

/// Launches forward_only, recompute with the lse (and target logits) that it stored, and gradient_in_forward;
/// compares the losses of both forwards and the gradients of both backwards with each other, and those of
/// recompute with the reference. The case's mode is of no account. Empty: they agree.
std::string run_modes_in_a_chain(Runtime& runtime, const LinearCrossEntropyCase& test);

/// The same with the vocabulary in shards of these sizes: forward_only of each, merge, recompute of each with
/// what merge stored, the shards' d_hidden added up; and gradient_in_forward of the whole.
std::string run_shards_in_a_chain(Runtime& runtime, const LinearCrossEntropyCase& test,
                                  const std::vector<Index>& shards);

}  // namespace lathe::tests
