// The entry points of linear_cross_entropy's kernels, how tokens and classes are divided into chunks, and
// what lies where in the workspace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <lathe/error.h>
#include <lathe/linear_cross_entropy.h>

#include "codegen/op.h"

namespace lathe::codegen {

inline Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}

/// What an entry point does. In the words of LinearCrossEntropyArgs: a row is a token, those that count
/// first; a part is a range of classes that has a maximum and a sum per row.
enum class LinearCrossEntropyStep : std::uint8_t {
  rows,      ///< row_tokens, totals, and what is stored of tokens that do not count; one block
  logits,    ///< logits of a chunk: maxima and sums, and the slab of exponentials (gradient_in_forward) or of
             ///< gradients (recompute)
  finish,    ///< lse of each row; losses and what else is stored per token; factors of the row's gradient
  gradient,  ///< slab of exponentials -> slab of gradients of logits
  d_hidden,  ///< slab x weight; zeros for tokens that do not count
  d_weight,  ///< slab^T x hidden, added up over chunks
  d_bias,    ///< sums of the slab's columns, added up over chunks
  reduce,    ///< what is one number for all tokens; one block
};

/// Those of a mode, in the order of their launches, which is that of its kernel's entry points.
std::span<const LinearCrossEntropyStep> steps_of(LinearCrossEntropyMode mode);

/// Those entry points' names; facts are for the target to fill in.
std::string entry_name(LinearCrossEntropyStep step);

/// Which gradients the products of a pass over all chunks are for. Only recompute has more than one such
/// pass: chunks of classes that hold all tokens give d_weight as it is to be, chunks of tokens d_hidden;
/// whichever gradient the other's chunks give in parts has to be added up in memory that there may not be.
enum class LinearCrossEntropySweep : std::uint8_t { both, d_weight, d_hidden };

/// How a target cuts its products.
struct LinearCrossEntropyTiles {
  Index rows;     ///< chunks of rows are multiples, but for the last
  Index classes;  ///< likewise; and the slab's rows are padded to multiples
};

LinearCrossEntropyTiles tiles_on_cpu(const LinearCrossEntropySpec& spec);
LinearCrossEntropyTiles tiles_on_gpu(const LinearCrossEntropySpec& spec);

/// Into how many parts a launch that keeps no slab divides the classes. On the CPU it depends on the tensors
/// only.
Index forward_parts_on_cpu(const LinearCrossEntropySpec& spec, Index tokens);
Index forward_parts_on_gpu(const LinearCrossEntropySpec& spec, Index tokens, int processors);

/// The grid of a step, for the round whose chunk is in args. Empty where it has nothing to do.
/// REQUIRES: args as divide_linear_cross_entropy() leaves them.
Grid grid_on_cpu(const LinearCrossEntropySpec& spec, LinearCrossEntropyStep step,
                 const LinearCrossEntropyArgs& args);
Grid grid_on_gpu(const LinearCrossEntropySpec& spec, LinearCrossEntropyStep step,
                 const LinearCrossEntropyArgs& args);

/// Numbers in a part, for each row: maximum, sum, and those that the spec asks for.
int part_fields(const LinearCrossEntropySpec& spec);
/// Planes of row_values, see templates/common/linear_cross_entropy.h.
inline constexpr int kRowPlanes = 9;

inline LinearCrossEntropySweep sweep_of(const LinearCrossEntropyArgs& args) {
  return static_cast<LinearCrossEntropySweep>(args.sweep);
}

/// Sets, for the first sweep, sweep, chunk_rows, chunk_classes, parts, row_stride, slab_stride and, as
/// offsets from the beginning of `args.workspace` (which may be null), the pointers into the workspace.
/// Returns the workspace's bytes. Errors: invalid_argument for a budget that the smallest chunk does not fit
/// into.
Result<std::size_t> divide_linear_cross_entropy(const LinearCrossEntropySpec& spec, const LaunchSite& site,
                                                LinearCrossEntropyArgs& args);

/// The same for the next sweep; false if there is none.
bool begin_next_sweep(const LinearCrossEntropySpec& spec, const LaunchSite& site,
                      LinearCrossEntropyArgs& args);

}  // namespace lathe::codegen
