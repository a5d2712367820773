// How far linear_cross_entropy's modes may be apart on one problem: by what one rounds and the other does
// not, which is less than either may be off.
#pragma once

#include <string>
#include <vector>

#include "tests/kernels/linear_cross_entropy_check.h"

namespace lathe::tests {

/// What a launch of a mode stored.
struct StoredGradients {
  StoredMatrix d_hidden;
  StoredMatrix d_weight;
  StoredMatrix d_bias;
};

/// Of forward_only or merge, and of gradient_in_forward. Logits are made in one way in both, and then added
/// up in another order. Empty: they agree.
std::string compare_losses(const Checked& checked, const StoredLosses& a, const StoredLosses& b);

/// Of recompute and of gradient_in_forward. Both round a gradient of a logit to dtype; the latter has rounded
/// the exponential that it is made from before, but for the target's, which is the same number in both. So
/// the probability of the target, most of a gradient, has no part in the tolerance.
std::string compare_gradients(const Checked& checked, const StoredGradients& recomputed,
                              const StoredGradients& in_forward);

}  // namespace lathe::tests
