// A launch of linear_cross_entropy in numbers: its chunks, and the bytes of what lies in its workspace.
#pragma once

#include <algorithm>

#include "codegen/ops/linear_cross_entropy_steps.h"

namespace lathe::codegen {

inline Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}
inline Index round_up(Index a, Index b) {
  return divide_up(a, b) * b;
}

/// Of all rounds of a sweep, which are alike.
struct LinearCrossEntropySizes {
  using Mode = LinearCrossEntropyMode;
  static constexpr Index kAlignment = 256;  ///< of the parts of the workspace
  static constexpr Index kTotalsBytes = kAlignment;

  const LinearCrossEntropySpec& spec;
  LinearCrossEntropySweep sweep;
  LinearCrossEntropyTiles tiles;
  Index tokens;
  Index rows;           ///< of a chunk
  Index classes;        ///< likewise
  Index forward_parts;  ///< where there is no slab
  bool on_cpu;

  bool makes_d_hidden() const { return spec.store_d_hidden && sweep != LinearCrossEntropySweep::d_weight; }
  bool makes_d_weight() const { return spec.store_d_weight && sweep != LinearCrossEntropySweep::d_hidden; }
  bool has_slab() const { return spec.mode == Mode::gradient_in_forward || spec.mode == Mode::recompute; }
  /// Whether there may be several chunks: else nothing in the workspace is large.
  bool has_chunks() const { return has_slab() || (on_cpu && spec.mode == Mode::forward_only); }
  bool is_one_chunk_of_rows() const { return rows >= tokens; }

  Index slab_stride() const { return round_up(classes, tiles.classes); }
  Index parts() const {
    if (spec.mode == Mode::gradient_in_forward) return divide_up(classes, tiles.classes);
    return spec.mode == Mode::forward_only ? forward_parts : 0;
  }
  /// Between the planes of values per row.
  Index row_stride() const { return round_up(std::max<Index>(tokens, 1), 64); }

  Index list_bytes() const { return round_up(row_stride() * 4, kAlignment); }
  Index row_bytes() const { return round_up(row_stride() * kRowPlanes * 4, kAlignment); }
  Index part_bytes() const { return round_up(parts() * part_fields(spec) * rows * 4, kAlignment); }
  /// The CPU's panels of hidden, in floats.
  Index packed_bytes() const {
    return on_cpu && spec.mode != Mode::merge ? rows * round_up(spec.hidden_size, 32) * 4 : 0;
  }
  Index slab_bytes() const {
    if (!has_slab()) return 0;
    return round_up(rows * slab_stride() * static_cast<Index>(size_of(spec.dtype)), kAlignment);
  }
  Index d_hidden_bytes() const {
    const bool adds_up = spec.mode == Mode::recompute && makes_d_hidden() && classes < spec.vocab_size;
    return adds_up ? round_up(rows * spec.hidden_size * 4, kAlignment) : 0;
  }
  Index d_weight_bytes() const {
    const bool adds_up = makes_d_weight() && !is_one_chunk_of_rows() && spec.accumulator_dtype == f32 &&
                         spec.d_weight_dtype != f32;
    const Index biases = spec.has_bias ? spec.vocab_size : 0;
    return adds_up ? round_up((spec.vocab_size * spec.hidden_size + biases) * 4, kAlignment) : 0;
  }
  /// What does not depend on chunks, and every sweep has at the same place.
  Index token_bytes() const { return kTotalsBytes + list_bytes() + row_bytes(); }
  Index total_bytes() const {
    return token_bytes() + part_bytes() + packed_bytes() + slab_bytes() + d_hidden_bytes() + d_weight_bytes();
  }

  /// What small chunks cost, about, in bytes: sums are read and written, and operands read, once per chunk.
  double traffic() const {
    const auto of = [](Index a, Index b, Index chunks) {
      return 8 * static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(chunks);
    };
    const Index row_chunks = divide_up(std::max<Index>(tokens, 1), rows);
    const Index class_chunks = divide_up(spec.vocab_size, classes);
    return of(spec.vocab_size, spec.hidden_size, row_chunks) + of(tokens, spec.hidden_size, class_chunks);
  }
  /// What making all logits once more costs, as traffic that takes as long: machines do many products while
  /// they read a byte.
  double traffic_of_logits() const {
    return 2 * static_cast<double>(tokens) * static_cast<double>(spec.vocab_size) *
           static_cast<double>(spec.hidden_size) / (on_cpu ? 16 : 128);
  }
};

}  // namespace lathe::codegen
