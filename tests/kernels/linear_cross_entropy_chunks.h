// Into what chunks a launch is divided: tests that are about chunks make sure that there are some.
#pragma once

#include <vector>

#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"
#include "tests/kernels/linear_cross_entropy_case.h"

namespace lathe::tests {

/// Of the first sweep.
struct LinearCrossEntropyChunks {
  Index of_tokens = 0;
  Index of_classes = 0;
  bool is_first_of_two_sweeps = false;
};

/// Of a case whose spec need not be normalized. Where nothing fits into the budget, there are no chunks.
inline LinearCrossEntropyChunks chunks_of(const Runtime& runtime, const LinearCrossEntropyCase& test) {
  const auto normalized = codegen::normalize_linear_cross_entropy(test.spec);
  if (!normalized) return {};
  const auto& spec = std::get<LinearCrossEntropySpec>(*normalized);
  // A block with more than one thread is a GPU's.
  std::vector<codegen::EntryPoint> entries(1);
  if (runtime.target().backend != Backend::cpu) entries[0].launch.block = {256};
  LinearCrossEntropyArgs args{.tokens = test.tokens, .workspace_budget = test.budget};
  if (!codegen::divide_linear_cross_entropy(
          spec, {.entries = entries, .processors = runtime.device().processors}, args))
    return {};
  return {.of_tokens = codegen::divide_up(test.tokens, args.chunk_rows),
          .of_classes = codegen::divide_up(spec.vocab_size, args.chunk_classes),
          .is_first_of_two_sweeps = codegen::sweep_of(args) != codegen::LinearCrossEntropySweep::both};
}

}  // namespace lathe::tests
