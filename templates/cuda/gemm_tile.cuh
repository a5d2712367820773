// How a block cuts its share of a matrix product, c[row, column] = sum over depth of a[row, depth] b[column,
// depth], of 16-bit elements summed up in floats.
#pragma once

/// Warps share out kRows x kColumns sums as kRowWarps x kColumnWarps equal pieces. kStages tiles of kDepth
/// elements of both operands are under way or in use.
template <int kTileRows, int kTileColumns, int kTileDepth, int kRingStages, int kWarpsAlongRows,
          int kWarpsAlongColumns>
struct GemmTile {
  static constexpr int kRows = kTileRows;
  static constexpr int kColumns = kTileColumns;
  static constexpr int kDepth = kTileDepth;
  static constexpr int kStages = kRingStages;
  static constexpr int kRowWarps = kWarpsAlongRows;
  static constexpr int kColumnWarps = kWarpsAlongColumns;
  static constexpr int kThreads = 32 * kRowWarps * kColumnWarps;
  static constexpr int kWarpRows = kRows / kRowWarps;
  static constexpr int kWarpColumns = kColumns / kColumnWarps;
  /// Of 16 rows, and of 8 columns.
  static constexpr int kRowFragments = kWarpRows / 16;
  static constexpr int kColumnFragments = kWarpColumns / 8;
  /// Of a lane: those of a row fragment are lane / 4 and 8 further, those of a column fragment 2 (lane % 4)
  /// and the next.
  static constexpr int kLaneRows = 2 * kRowFragments;
  static constexpr int kLaneColumns = 2 * kColumnFragments;

  static constexpr int kLeftBytes = kRows * kDepth * 2;
  static constexpr int kStageBytes = kLeftBytes + kColumns * kDepth * 2;
  static constexpr int kSharedBytes = kStages * kStageBytes;

  static_assert(kWarpRows % 16 == 0 && kWarpColumns % 16 == 0 && kDepth % 16 == 0, "whole fragments");
};

/// Where a thread's sums stand in its block's.
template <class Tile>
struct GemmLane {
  int lane = threadIdx.x % 32;
  int row_warp = threadIdx.x / 32 % Tile::kRowWarps;
  int column_warp = threadIdx.x / 32 / Tile::kRowWarps;

  __device__ int first_row() const { return row_warp * Tile::kWarpRows; }
  __device__ int first_column() const { return column_warp * Tile::kWarpColumns; }
  /// Of 0 <= i < kLaneRows.
  __device__ int row(int i) const { return first_row() + i / 2 * 16 + i % 2 * 8 + lane / 4; }
  /// Of 0 <= j < kLaneColumns.
  __device__ int column(int j) const { return first_column() + j / 2 * 8 + lane % 4 * 2 + j % 2; }
};

/// A thread's sums.
template <class Tile>
struct GemmSums {
  float values[Tile::kRowFragments][Tile::kColumnFragments][4];

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < Tile::kLaneRows; ++i) {
#pragma unroll
      for (int j = 0; j < Tile::kLaneColumns; ++j) at(i, j) = 0.0f;
    }
  }
  /// That of GemmLane's row i and column j. REQUIRES: constants, after unrolling.
  __device__ float& at(int i, int j) { return values[i / 2][j / 2][i % 2 * 2 + j % 2]; }
};

struct TilePlace {
  int row;
  int column;
};

/// Of a block, among rows x columns tiles of a product: kGroup rows of them go from column to column
/// together, so that blocks that run at the same time share rows and columns in the second-level cache.
template <int kGroup = 16>
__device__ inline TilePlace tile_place(unsigned block, int rows, int columns) {
  const int group = static_cast<int>(block / (kGroup * static_cast<unsigned>(columns)));
  const int within = static_cast<int>(block - static_cast<unsigned>(group) * kGroup * columns);
  const int height = rows - group * kGroup < kGroup ? rows - group * kGroup : kGroup;
  return {group * kGroup + within % height, within / height};
}
