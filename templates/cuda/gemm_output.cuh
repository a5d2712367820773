// From the sums of a product, which tensor cores leave scattered over a block's threads, to runs of columns:
// through the ring in shared memory, when the last tiles have been used.
#pragma once

#include "cuda/gemm_tile.cuh"
#include "cuda/pack.cuh"
#include "cuda/ptx/shared.cuh"

/// kRows x kColumns floats in shared memory. Rows are turned against each other, so that neither the pairs
/// that a warp writes nor the runs that it reads share banks.
template <class Tile>
struct SumTile {
  static constexpr int kRun = 4;
  static constexpr int kRowBytes = Tile::kColumns * 4;
  static_assert(Tile::kRows * kRowBytes <= Tile::kSharedBytes, "the ring has room for all sums");
  static_assert(Tile::kColumns % 64 == 0, "runs stay together when rows are turned");

  __device__ static unsigned offset(int row, int column) {
    return row * kRowBytes + (column / 2 ^ row % 8 * 4) * 8 + column % 2 * 4;
  }
};

/// f(row, column, values) of all runs of kRun neighbouring columns, in rows below `rows`. All threads of the
/// block call it; neighbouring threads get neighbouring runs, and a warp whole rows, always the same.
template <class Tile, class F>
__device__ inline void for_each_run(char* shared, int rows, GemmSums<Tile>& sums, F f) {
  using Place = SumTile<Tile>;
  const GemmLane<Tile> lane;
  const unsigned base = shared_address(shared);
  __syncthreads();  // the last tiles have been used
#pragma unroll
  for (int j = 0; j < Tile::kLaneColumns; j += 2) {
    const unsigned to = base + Place::offset(lane.row(0), lane.column(j));
#pragma unroll
    for (int i = 0; i < Tile::kLaneRows; ++i) {
      // Rows of a lane are multiples of 8 apart, and turned alike.
      const unsigned pair[2] = {__float_as_uint(sums.at(i, j)), __float_as_uint(sums.at(i, j + 1))};
      store_shared(to + (i / 2 * 16 + i % 2 * 8) * Place::kRowBytes, pair);
    }
  }
  __syncthreads();
  constexpr int kRuns = Tile::kColumns / Place::kRun;
  static_assert(32 % kRuns == 0 || kRuns % 32 == 0, "no warp has a part of a row");
#pragma unroll 1
  for (int i = threadIdx.x; i < Tile::kRows * kRuns; i += Tile::kThreads) {
    const int row = i / kRuns;
    const int column = i % kRuns * Place::kRun;
    if (row >= rows) break;
    float values[Place::kRun];
    load_pack<F32>(reinterpret_cast<const float*>(shared + Place::offset(row, column)), values);
    f(row, column, values);
  }
}

/// Adds the first `count` of a run's elements in memory to its values. REQUIRES: alignment to kAlignment
/// bytes.
template <class T, int kAlignment, int kRun>
__device__ inline void add_run(const typename T::Storage* from, float (&values)[kRun], int count) {
  constexpr int kFit = kAlignment / static_cast<int>(sizeof(typename T::Storage));
  constexpr int kPack = kFit < 1 ? 1 : kFit < kRun ? kFit : kRun;
  if (count >= kRun) {
#pragma unroll
    for (int i = 0; i < kRun; i += kPack) {
      float pack[kPack];
      load_pack<T>(from + i, pack);
#pragma unroll
      for (int k = 0; k < kPack; ++k) values[i + k] += pack[k];
    }
  } else {
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      if (i < count) values[i] += T::widen(from[i]);
    }
  }
}

/// Stores the first `count` values of a run, likewise.
template <class T, int kAlignment, int kRun>
__device__ inline void store_run(typename T::Storage* to, const float (&values)[kRun], int count) {
  constexpr int kFit = kAlignment / static_cast<int>(sizeof(typename T::Storage));
  constexpr int kPack = kFit < 1 ? 1 : kFit < kRun ? kFit : kRun;
  if (count >= kRun) {
#pragma unroll
    for (int i = 0; i < kRun; i += kPack) {
      float pack[kPack];
#pragma unroll
      for (int k = 0; k < kPack; ++k) pack[k] = values[i + k];
      store_pack<T>(to + i, pack);
    }
  } else {
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      if (i < count) to[i] = T::narrow(values[i]);
    }
  }
}
