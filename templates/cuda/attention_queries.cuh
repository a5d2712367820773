// The block's rows of q: into shared memory, and from there as operands of products.
#pragma once

#include "cuda/attention_shared.cuh"
#include "cuda/copy_units.cuh"
#include "cuda/ptx/ldmatrix.cuh"

/// Few enough to be kept there, and read once.
constexpr bool kQueriesInRegisters = kRowFragments == 1 && kHeadDim <= 128;
constexpr int kHeadSteps = kHeadChunks / 2;

__device__ inline UnitSource query_source(const lathe::AttentionArgs& args, const Block& block, unsigned row,
                                          unsigned chunk) {
  const RowPlace place(block.work.row_begin + static_cast<int>(row), block.kv_head);
  const bool exists = place.exists(block.request) && chunk * 8 < kHeadDim;
  const Index token = place.token(block.request);
  if (kRestDim > 0 && chunk * 8 >= kKeyDim) {
    const Index at =
        token * args.q_rest_token_stride + place.head * args.q_rest_head_stride + (chunk * 8 - kKeyDim);
    return {static_cast<const char*>(args.q_rest) + at * 2, exists};
  }
  const Index at = token * args.q_token_stride + place.head * args.q_head_stride + chunk * 8;
  return {static_cast<const char*>(args.q) + at * 2, exists};
}

/// To be committed and waited for.
__device__ inline void copy_queries(const lathe::AttentionArgs& args, const Block& block, unsigned shared) {
  copy_units<kThreads, kRows, kHeadChunks, 16, kQueryCopyBytes>(
      [&](unsigned row, unsigned chunk) { return shared + KeyTile::offset(row, chunk); },
      [&](unsigned row, unsigned chunk) { return query_source(args, block, row, chunk); });
}

/// A warp's rows of q, 16 elements at a time.
class Queries {
 public:
  __device__ Queries(unsigned shared, const WarpPlace& warp) : shared_(shared), warp_(warp) {}

  /// Once, when q has come.
  __device__ void load() {
    if constexpr (kQueriesInRegisters) {
#pragma unroll
      for (int step = 0; step < kHeadSteps; ++step) read(step, 0, kept_[step]);
    }
  }

  __device__ void get(int step, unsigned (&fragments)[kRowFragments][4]) const {
#pragma unroll
    for (int i = 0; i < kRowFragments; ++i) {
      if constexpr (kQueriesInRegisters) {
#pragma unroll
        for (int j = 0; j < 4; ++j) fragments[i][j] = kept_[step][j];
      } else {
        read(step, i, fragments[i]);
      }
    }
  }

 private:
  __device__ void read(int step, int fragment, unsigned (&registers)[4]) const {
    const unsigned row = warp_.row + fragment * 16 + warp_.lane % 16;
    load_matrices(registers, shared_ + KeyTile::offset(row, step * 2 + warp_.lane / 16));
  }

  unsigned shared_;
  WarpPlace warp_;
  unsigned kept_[kQueriesInRegisters ? kHeadSteps : 1][4];
};
