// What linear_cross_entropy stored, compared with the reference. Every check's result: empty, all is as it
// should be; else the first difference.
#pragma once

#include <string>
#include <vector>

#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/kernels/linear_cross_entropy_problem.h"

namespace lathe::tests {

/// What is not stored is empty.
struct StoredLosses {
  std::vector<float> loss, losses, z_loss, lse, target_logits, entropy;
  std::vector<Index> argmax;
  std::vector<float> accuracy;
  int bad_targets = 0;
};

struct StoredMatrix {
  reference::Matrix values{};
  std::string wrong{};  ///< what is wrong with it whatever its values
};

struct Checked {
  const LinearCrossEntropyCase& test;
  const LinearCrossEntropySpec& spec;  ///< normalized
  const LinearCrossEntropyProblem& problem;
};

std::string check_losses(const Checked& checked, const StoredLosses& stored);
std::string check_d_hidden(const Checked& checked, const StoredMatrix& stored);
/// Of the classes from `first` on.
std::string check_d_weight(const Checked& checked, const StoredMatrix& stored, Index first);
std::string check_d_bias(const Checked& checked, const StoredMatrix& stored, Index first);

}  // namespace lathe::tests
