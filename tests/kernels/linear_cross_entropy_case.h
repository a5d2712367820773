// Launches of linear_cross_entropy, compared with the reference.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lathe/runtime.h>

namespace lathe::tests {

struct LinearCrossEntropyCase {
  LinearCrossEntropySpec spec;
  Index tokens = 5;
  int ignored = 1;               ///< tokens, spread over all
  int bad = 0;                   ///< tokens whose target is no class
  Index ignore_index = -100;     ///< may be a class: then more tokens may be ignored
  Index padding = 0;             ///< elements between rows; each matrix has some more than the one before
  int offset_elements = 0;       ///< of every matrix from an address that is a multiple of 256 bytes
  Index budget = 0;              ///< workspace_budget
  double spread = 2;             ///< standard deviation of logits
  bool confident = false;        ///< the targets' logits are far above the others
  int masked_classes = 0;        ///< with a bias of minus infinity, at the end of the vocabulary
  float upstream_scale = 1;      ///< of upstreams per token, which are 0.3 to 1.7 times this
  float entropy_scale = 1;       ///< of entropies' upstreams, likewise, but of either sign
  bool one_entropy = false;      ///< entropies' upstreams are 0, but for the first that counts
  float class_weight_scale = 1;  ///< class weights are 0.3 to 1.7 times this
  float label_smoothing = 0.3f;  ///< and so on: used if the spec has it
  float lse_square_scale = 0.05f;
  float soft_cap = 3;
  float temperature = 0.8f;
  std::uint32_t seed = 1;
};

/// Whether a target runs the same code as sm_80 does, compiled anew: sweeps over options leave it out.
inline bool repeats_sm_80(const Runtime& runtime) {
  return runtime.target().backend == Backend::emulate && runtime.target().arch != "sm_80";
}

/// The dtypes that a target has kernels for.
inline std::vector<DType> dtypes_of(const Runtime& runtime) {
  if (runtime.target().backend == Backend::cpu) return {bf16, f16, f32};
  return {bf16, f16};
}

/// With all that can be stored.
LinearCrossEntropySpec storing_all(LinearCrossEntropyMode mode, std::int64_t hidden, std::int64_t vocab);

/// Launches twice, and compares all that is stored with the reference, the second launch's bits with the
/// first's, and what lies around the tensors, and the inputs, with what was there before. The lse that
/// recompute reads is the reference's. Empty: all as it should be; else the first difference. Reports the
/// kernel (see kernel_report.h).
std::string run_linear_cross_entropy(Runtime& runtime, const LinearCrossEntropyCase& test);

/// The same for a vocabulary in shards of these sizes: forward_only of each, merge, and, if the case's mode
/// is recompute, the gradients of each, d_hidden added up. The case's spec is that of the whole; the lse and
/// the entropy that it stores are those that merge gives to recompute.
std::string run_vocabulary_shards(Runtime& runtime, const LinearCrossEntropyCase& test,
                                  const std::vector<Index>& shards);

}  // namespace lathe::tests
