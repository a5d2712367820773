// A tile of a product's operand in shared memory, laid out as in global memory, and how a warp reads what
// tensor cores take. An operand has rows (of a, or columns of c) and a depth.
#pragma once

#include "cuda/ptx/ldmatrix.cuh"
#include "cuda/swizzled_tile.cuh"

/// The axis along which an operand's elements are contiguous in memory: that of its lines.
enum class Lines { along_depth, across_depth };

template <Lines kDirection, int kRows, int kDepth>
struct OperandTile {
  static constexpr Lines kLines = kDirection;
  static constexpr bool kAlongDepth = kDirection == Lines::along_depth;
  static constexpr int kLineCount = kAlongDepth ? kRows : kDepth;
  static constexpr int kLineElements = kAlongDepth ? kDepth : kRows;
  /// Of 8 elements, 16 bytes.
  static constexpr int kUnits = kLineElements / 8;
  static constexpr int kTileDepth = kDepth;
  using Place = SwizzledTile<kUnits>;

  /// The operand a: 16 rows and a depth of 16, from these on.
  __device__ static void load_left(unsigned (&a)[4], unsigned tile, int row, int depth, int lane) {
    if constexpr (kAlongDepth) {
      load_matrices(a, tile + Place::offset(row + lane % 16, depth / 8 + lane / 16));
    } else {
      load_matrices_transposed(
          a, tile + Place::offset(depth + lane / 16 * 8 + lane % 8, row / 8 + lane / 8 % 2));
    }
  }

  /// The operand b, likewise: the first two registers are of 8 rows, the others of the next 8.
  __device__ static void load_right(unsigned (&b)[4], unsigned tile, int row, int depth, int lane) {
    if constexpr (kAlongDepth) {
      load_matrices(b, tile + Place::offset(row + lane / 16 * 8 + lane % 8, depth / 8 + lane / 8 % 2));
    } else {
      load_matrices_transposed(b, tile + Place::offset(depth + lane % 16, row / 8 + lane / 16));
    }
  }
};
