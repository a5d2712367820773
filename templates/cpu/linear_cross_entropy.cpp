// linear_cross_entropy for the CPU: one entry point per step, launched in the order in which they stand here;
// recompute finishes rows before it makes logits. All products are in floats. Blocks own what they write, and
// what they add up has an order that depends on the tensors only: results are the same on any number of
// threads. A block needs at most some 110 KiB of its thread's stack.

#include <lathe/args.h>

#include "common/linear_cross_entropy_options.h"
#include "cpu/element.h"

// lathe:parameters
using X = Bf16;
using Bias = Bf16;
using DHidden = Bf16;
using DWeight = F32;
using Target = long long;
constexpr int kHiddenSize = 1024;
constexpr int kVocabSize = 32000;
constexpr Mode kMode = Mode::gradient_in_forward;
constexpr Reduction kReduction = Reduction::mean;
constexpr bool kVocabParallel = false;
constexpr bool kHasBias = false;
constexpr bool kHasClassWeights = false;
constexpr bool kHasLabelSmoothing = false;
constexpr bool kHasZLoss = false;
constexpr bool kHasSoftCap = false;
constexpr bool kHasTemperature = false;
constexpr bool kScalesByProbability = false;
constexpr Upstream kUpstream = Upstream::one;
constexpr bool kHasEntropyGradient = false;
constexpr bool kStoreLosses = false;
constexpr bool kStoreZLoss = false;
constexpr bool kStoreLse = false;
constexpr bool kStoreTargetLogits = false;
constexpr bool kStoreEntropy = false;
constexpr bool kStoreArgmax = false;
constexpr bool kStoreAccuracy = false;
constexpr bool kStoreDHidden = true;
constexpr bool kStoreDWeight = true;
constexpr bool kAccumulateDWeight = false;
constexpr int kTileClasses = 96;   // of a block; in gradient_in_forward also of a part
constexpr int kGroupRows = 128;    // of a block
constexpr int kSliceColumns = 64;  // of d_hidden that a block makes
constexpr int kPackedRows = 32;    // of a block where rows are packed or finished
// lathe:end

#include "cpu/linear_cross_entropy_d_hidden.h"
#include "cpu/linear_cross_entropy_d_weight.h"
#include "cpu/linear_cross_entropy_finish.h"
#include "cpu/linear_cross_entropy_pack.h"
#include "cpu/linear_cross_entropy_parts.h"
#include "cpu/linear_cross_entropy_rows.h"

/// The first chunk's rows, of which there are none before its only block has run, or a panel per block.
extern "C" void lathe_linear_cross_entropy_rows(const Args* args, Index first_block, Index last_block) {
  if (args->first_row == 0) {
    list_rows(*args);
    last_block = args->chunk_rows / kPackedRows;
  }
  if constexpr (kMode != Mode::merge) {
    const Index rows = smaller_of(last_block * kPackedRows, rows_of_chunk(*args));
    for (Index row = first_block * kPackedRows; row < rows; row += kPanelRows) pack_panel(*args, row);
  }
}

extern "C" void lathe_linear_cross_entropy_logits(const Args* args, Index first_block, Index last_block) {
  if constexpr (kMode != Mode::merge) {
    const Index groups = groups_of_chunk(*args);
    for (Index block = first_block; block < last_block; ++block) {
      const RowGroup group = row_group(*args, block % groups);
      if (group.rows == 0) continue;
      if constexpr (kMode == Mode::forward_only) {
        reduce_tiles(*args, block / groups, group);
      } else if constexpr (kMode == Mode::gradient_in_forward) {
        keep_exponentials(*args, block / groups, group);
      } else {
        keep_gradients(*args, block / groups, group);
      }
    }
  }
}

extern "C" void lathe_linear_cross_entropy_finish(const Args* args, Index first_block, Index last_block) {
  const Index rows = smaller_of(last_block * kPackedRows, rows_of_chunk(*args));
  for (Index row = first_block * kPackedRows; row < rows; ++row) finish_row(*args, row);
}

extern "C" void lathe_linear_cross_entropy_gradient(const Args* args, Index first_block, Index last_block) {
  if constexpr (kMode == Mode::gradient_in_forward) {
    const Index groups = groups_of_chunk(*args);
    for (Index block = first_block; block < last_block; ++block) {
      const RowGroup group = row_group(*args, block % groups);
      if (group.rows > 0) make_gradients(*args, block / groups, group);
    }
  }
}

extern "C" void lathe_linear_cross_entropy_d_hidden(const Args* args, Index first_block, Index last_block) {
  if constexpr (kStoreDHidden) {
    const Index slices = hidden_slices();
    for (Index block = first_block; block < last_block; ++block)
      make_d_hidden(*args, block % slices, row_group(*args, block / slices));
  }
}

extern "C" void lathe_linear_cross_entropy_d_weight(const Args* args, Index first_block, Index last_block) {
  if constexpr (kStoreDWeight) {
    for (Index block = first_block; block < last_block; ++block) make_d_weight(*args, block);
  }
}

extern "C" void lathe_linear_cross_entropy_d_bias(const Args* args, Index first_block, Index last_block) {
  if constexpr (kStoreDWeight && kHasBias) {
    for (Index block = first_block; block < last_block; ++block) make_d_bias(*args, block);
  }
}

extern "C" void lathe_linear_cross_entropy_reduce(const Args* args, Index first_block, Index last_block) {
  if constexpr (kMode != Mode::recompute && !(kVocabParallel && kMode == Mode::forward_only)) {
    if (first_block < last_block) reduce_rows(*args);
  }
}
