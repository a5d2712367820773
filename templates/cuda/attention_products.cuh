// The two matrix products of a tile: logits = q k^T, and o += weights v.
#pragma once

#include "cuda/attention_queries.cuh"
#include "cuda/ptx/ldmatrix.cuh"
#include "cuda/ptx/mma.cuh"

/// Logits, and then weights, of a warp's rows and keys.
struct Logits {
  float values[kRowFragments][kKeyFragments][4];
};

struct Sums {
  float values[kRowFragments][kValueFragments][4];
};

/// `first_key` is the warp's, in the tile.
__device__ inline void multiply_queries_keys(const Queries& queries, unsigned tile, int first_key, int lane,
                                             Logits& logits) {
#pragma unroll
  for (int i = 0; i < kRowFragments; ++i) {
#pragma unroll
    for (int j = 0; j < kKeyFragments; ++j) {
#pragma unroll
      for (int k = 0; k < 4; ++k) logits.values[i][j][k] = 0.0f;
    }
  }
  // Queries in registers are named by constants; others go in fours, which compile faster.
#pragma unroll(kQueriesInRegisters ? kHeadSteps : 4)
  for (int step = 0; step < kHeadSteps; ++step) {
    unsigned q[kRowFragments][4];
    queries.get(step, q);
#pragma unroll
    for (int j = 0; j + 1 < kKeyFragments; j += 2) {
      unsigned k[4];
      const unsigned row = first_key + j * 8 + lane % 8 + lane / 16 * 8;
      load_matrices(k, tile + KeyTile::offset(row, step * 2 + lane / 8 % 2));
#pragma unroll
      for (int i = 0; i < kRowFragments; ++i) {
        multiply_add<Element>(logits.values[i][j], logits.values[i][j + 1], q[i], k);
      }
    }
    if constexpr (kKeyFragments % 2 == 1) {
      constexpr int kLast = kKeyFragments - 1;
      unsigned k[2];
      load_matrices(k, tile + KeyTile::offset(first_key + kLast * 8 + lane % 8, step * 2 + lane / 8 % 2));
#pragma unroll
      for (int i = 0; i < kRowFragments; ++i)
        multiply_add<Element>(logits.values[i][kLast], q[i], k[0], k[1]);
    }
  }
}

/// Sums of 16 keys' values; `first_column` in chunks of 8.
__device__ inline void add_values(const unsigned (&weights)[kRowFragments][4], unsigned tile, int first_key,
                                  int first_column, int lane, Sums& sums) {
#pragma unroll
  for (int j = 0; j < kValueFragments; j += 2) {
    unsigned v[4];
    load_matrices_transposed(v,
                             tile + ValueTile::offset(first_key + lane % 16, first_column + j + lane / 16));
#pragma unroll
    for (int i = 0; i < kRowFragments; ++i) {
      multiply_add<Element>(sums.values[i][j], sums.values[i][j + 1], weights[i], v);
    }
  }
}

/// Weights that this warp has in registers: what a product gives has the layout of what one takes.
__device__ inline void multiply_own_weights(const Logits& weights, unsigned tile, int first_key, int lane,
                                            Sums& sums) {
#pragma unroll
  for (int j = 0; j + 1 < kKeyFragments; j += 2) {
    unsigned p[kRowFragments][4];
#pragma unroll
    for (int i = 0; i < kRowFragments; ++i) {
      p[i][0] = Element::pack(weights.values[i][j]);
      p[i][1] = Element::pack(weights.values[i][j] + 2);
      p[i][2] = Element::pack(weights.values[i][j + 1]);
      p[i][3] = Element::pack(weights.values[i][j + 1] + 2);
    }
    add_values(p, tile, first_key + j * 8, 0, lane, sums);
  }
}

/// Weights of all keys of the tile, which the warps of the same rows have left in shared memory.
__device__ inline void multiply_shared_weights(unsigned weights, unsigned tile, const WarpPlace& warp,
                                               Sums& sums) {
#pragma unroll 1
  for (int key = 0; key < kKeyTile; key += 16) {
    unsigned p[kRowFragments][4];
#pragma unroll
    for (int i = 0; i < kRowFragments; ++i) {
      const unsigned row = warp.row + i * 16 + warp.lane % 16;
      load_matrices(p[i], weights + WeightTile::offset(row, key / 8 + warp.lane / 16));
    }
    add_values(p, tile, key, warp.part * kValueFragments, warp.lane, sums);
  }
}
