// Tiles in shared memory whose rows are chunks of 16 bytes, so arranged that the same chunk of eight rows,
// which is what ldmatrix reads at a time, lies in eight different groups of banks.
#pragma once

/// REQUIRES: an even number of chunks.
template <int kChunks>
struct SwizzledTile {
  static_assert(kChunks % 2 == 0, "rows are whole steps of a matrix product");
  static constexpr int kRowBytes = kChunks * 16;

  /// In bytes, from the beginning of the tile, which is aligned to 16 bytes.
  __device__ static unsigned offset(unsigned row, unsigned chunk) {
    // kRepeat rows fill all banks once; each such bundle is turned by one chunk against the one before.
    constexpr unsigned kGroups = kChunks % 8 == 0 ? 8 : kChunks % 4 == 0 ? 4 : 2;
    constexpr unsigned kRepeat = 8 / kGroups;
    return row * kRowBytes + (chunk ^ (row / kRepeat % kGroups)) * 16;
  }
};
