// A block's share of a matrix product on tensor cores, sm_80 and up: tiles of both operands come through a
// ring in shared memory by asynchronous copies while those that have come are multiplied.
//
// The operands are streams (gemm_stream.cuh), what becomes of the sums is the caller's: each thread has
// those of GemmLane's rows and columns.
#pragma once

#include "cuda/gemm_stream.cuh"
#include "cuda/gemm_tile.cuh"
#include "cuda/ptx/cp_async.cuh"
#include "cuda/ptx/mma.cuh"

template <class Tile, class Element, Lines kLeft, Lines kRight>
struct Gemm {
  using LeftTile = OperandTile<kLeft, Tile::kRows, Tile::kDepth>;
  using RightTile = OperandTile<kRight, Tile::kColumns, Tile::kDepth>;
  template <class Source, int kCopyBytes>
  using LeftStream = OperandStream<LeftTile, Source, Tile::kThreads, kCopyBytes>;
  template <class Source, int kCopyBytes>
  using RightStream = OperandStream<RightTile, Source, Tile::kThreads, kCopyBytes>;

  /// Adds to sums. All threads of the block call it; `shared` has Tile::kSharedBytes. Afterwards others may
  /// still be reading them.
  template <class Left, class Right>
  __device__ static void multiply(unsigned shared, Left left, Right right, int depth, GemmSums<Tile>& sums) {
    const int steps = (depth + Tile::kDepth - 1) / Tile::kDepth;
    const auto send = [&](int step) {
      if (step < steps) {
        const unsigned stage = shared + step % Tile::kStages * Tile::kStageBytes;
        left.send(stage);
        right.send(stage + Tile::kLeftBytes);
      }
      commit_copies();  // an empty group counts, too
    };
    // The ring is filled in the same loop, as code that stands once compiles faster. Another product may have
    // used it before.
    __syncthreads();
#pragma unroll 1
    for (int step = 1 - Tile::kStages; step < steps; ++step) {
      if (step >= 0) {
        wait_for_copies<Tile::kStages - 2>();
        __syncthreads();  // a step's tiles have come for all, and all are done with the step before
      }
      send(step + Tile::kStages - 1);
      if (step >= 0) multiply_stage(shared + step % Tile::kStages * Tile::kStageBytes, sums);
    }
  }

 private:
  __device__ static void multiply_stage(unsigned stage, GemmSums<Tile>& sums) {
    const GemmLane<Tile> lane;
#pragma unroll
    for (int depth = 0; depth < Tile::kDepth; depth += 16) {
      unsigned a[Tile::kRowFragments][4];
#pragma unroll
      for (int i = 0; i < Tile::kRowFragments; ++i)
        LeftTile::load_left(a[i], stage, lane.first_row() + i * 16, depth, lane.lane);
#pragma unroll
      for (int j = 0; j < Tile::kColumnFragments; j += 2) {
        unsigned b[4];
        RightTile::load_right(b, stage + Tile::kLeftBytes, lane.first_column() + j * 8, depth, lane.lane);
#pragma unroll
        for (int i = 0; i < Tile::kRowFragments; ++i)
          multiply_add<Element>(sums.values[i][j], sums.values[i][j + 1], a[i], b);
      }
    }
  }
};
