// A random problem of linear_cross_entropy: its tensors on the host, and what the reference makes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/reference/linear_cross_entropy.h"
#include "tests/support/host_tensor.h"

namespace lathe::tests {

/// A matrix whose rows are `stride` elements apart; what lies between is NaN.
struct StridedMatrix {
  StridedMatrix(DType dtype, Index its_rows, Index its_columns, Index its_stride)
      : rows(its_rows),
        columns(its_columns),
        stride(its_stride),
        values(HostTensor::poisoned(
            dtype, its_rows == 0 ? 0 : static_cast<std::size_t>((its_rows - 1) * its_stride + its_columns))) {
  }

  std::size_t at(Index row, Index column) const { return static_cast<std::size_t>(row * stride + column); }
  reference::Matrix as_reference() const;

  Index rows;
  Index columns;
  Index stride;
  HostTensor values;
};

struct LinearCrossEntropyProblem {
  explicit LinearCrossEntropyProblem(const LinearCrossEntropyCase& test);

  StridedMatrix hidden;
  StridedMatrix weight;
  HostTensor bias;
  std::vector<std::int64_t> targets;
  std::vector<float> class_weights;
  std::vector<float> upstream;
  std::vector<float> entropy_upstream;  ///< NaN for tokens that do not count
  reference::LinearCrossEntropy problem;
  reference::LinearCrossEntropyResult expected;

  /// What fp32 products may be off: a logit's error, the largest of all.
  double logit_error = 0;
  double logit(Index token, Index column) const;
};

}  // namespace lathe::tests
