// A launch of linear_cross_entropy in numbers: its chunks, and the bytes of what lies in its workspace.
#pragma once

#include <algorithm>

#include "codegen/ops/linear_cross_entropy_steps.h"

namespace lathe::codegen {

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
  Index slots;          ///< blocks of products that run at a time
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

  Index hidden_tiles() const { return divide_up(spec.hidden_size, tiles.classes); }
  /// How long a sweep takes, about, in bytes that could be read meanwhile: sums are read and written, and
  /// operands read, once per chunk; products take the longer the fewer of the slots a chunk's blocks fill.
  double cost() const {
    const Index row_chunks = divide_up(std::max<Index>(tokens, 1), rows);
    const Index class_chunks = divide_up(spec.vocab_size, classes);
    const Index row_tiles = divide_up(std::min(rows, tokens), tiles.rows);
    const Index class_tiles = divide_up(classes, tiles.classes);
    const auto area = [](Index a, Index b) { return static_cast<double>(a) * static_cast<double>(b); };
    const auto idle = [&](Index blocks) {
      return std::max(1.0, static_cast<double>(slots) / static_cast<double>(std::max<Index>(blocks, 1)));
    };
    double products = idle(row_tiles * class_tiles);
    if (makes_d_hidden()) products += idle(row_tiles * hidden_tiles());
    if (makes_d_weight()) products += idle(class_tiles * hidden_tiles());
    return 8 * (area(spec.vocab_size, spec.hidden_size) * static_cast<double>(row_chunks) +
                area(tokens, spec.hidden_size) * static_cast<double>(class_chunks)) +
           2 * area(tokens, spec.vocab_size) * static_cast<double>(spec.hidden_size) * products /
               (on_cpu ? 16 : 128);
  }
};

}  // namespace lathe::codegen
