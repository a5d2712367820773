// What happens to rows of q and k before their product, where a spec asks for it: rotary embeddings, then
// hooks. A thread takes four elements of each half of a row at a time, which are four pairs.
#pragma once

#include "common/rotation.h"
#include "cuda/attention_shared.cuh"
#include "cuda/pack.cuh"
#include "user/attention_hooks.h"

constexpr int kHalfDim = kHeadDim / 2;
constexpr int kQuads = kHalfDim / 4;

template <class T>
constexpr float kLargestOf = 0x1.FEp+127f;
template <>
constexpr float kLargestOf<F16> = 65504.0f;

/// What a hook gives, as far as q's type reaches; NaN stays NaN.
__device__ inline float within_reach(float value) {
  constexpr float kMost = kLargestOf<Element>;
  return value > kMost ? kMost : value < -kMost ? -kMost : value;
}

/// Elements `dim` and up, and those half a row further.
struct Quads {
  int dim;
  float low[4];
  float high[4];

  __device__ void rotate(Index position) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const SinCos<float> turn = sin_cos_of(kTurns[dim + i] * static_cast<Angle>(position));
      ::rotate(low[i], high[i], turn.sin * kRopeFactor, turn.cos * kRopeFactor);
    }
  }

  /// `hook` takes a value and its dimension.
  template <class Hook>
  __device__ void apply(Hook hook) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      low[i] = within_reach(hook(low[i], dim + i));
      high[i] = within_reach(hook(high[i], kHalfDim + dim + i));
    }
  }

  /// Into a row of a tile of q or k.
  __device__ void store(unsigned tile, unsigned row) const {
    store_four(tile, row, dim, low);
    store_four(tile, row, kHalfDim + dim, high);
  }

 private:
  __device__ static void store_four(unsigned tile, unsigned row, unsigned at, const float (&values)[4]) {
    const unsigned words[2] = {Element::pack(values), Element::pack(values + 2)};
    store_shared(tile + KeyTile::offset(row, at / 8) + at % 8 * 2, words);
  }
};

/// All rows of q that there are, in place. REQUIRES: barriers before and after.
__device__ inline void transform_queries(const lathe::AttentionArgs& args, const Block& block, char* shared) {
  const unsigned tile = shared_address(shared);
#pragma unroll 1
  for (int i = threadIdx.x; i < kRows * kQuads; i += kThreads) {
    const int row = i / kQuads;
    const RowPlace place(block.work.row_begin + row, block.kv_head);
    if (!place.exists(block.request)) break;  // nor do those behind it
    const AttentionPlace at = place_of(block, place, -1);
    Quads quads{i % kQuads * 4, {}, {}};
    const auto elements = [&](unsigned dim) {
      return reinterpret_cast<const Element::Storage*>(shared + KeyTile::offset(row, dim / 8)) + dim % 8;
    };
    load_pack<Element>(elements(quads.dim), quads.low);
    load_pack<Element>(elements(kHalfDim + quads.dim), quads.high);
    if constexpr (kHasRope) {
      quads.rotate(static_cast<Index>(at.query) - block.request.query_length + block.request.kv_length);
    }
    if constexpr (kHasQueryHook) {
      quads.apply([&](float value, int dim) { return query_hook(value, dim, at, args.hook_data); });
    }
    quads.store(tile, row);
  }
}

/// Keys as they are stored into a tile; `first_key` is the first in the request.
__device__ inline void transform_keys(const lathe::AttentionArgs& args, const Block& block, int first_key,
                                      const char* raw, unsigned tile) {
  const float scale = k_scale_of(args, block.kv_head);
  // Sums take most of the registers meanwhile.
#pragma unroll 1
  for (int i = threadIdx.x; i < kKeyTile * kQuads; i += kThreads) {
    const int row = i / kQuads;
    Quads quads{i % kQuads * 4, {}, {}};
    const auto* elements = reinterpret_cast<const Stored::Storage*>(raw + row * kRawKeyRowBytes);
    load_pack<Stored>(elements + quads.dim, quads.low);
    load_pack<Stored>(elements + kHalfDim + quads.dim, quads.high);
    const AttentionPlace at{
        block.work.request,     -1, first_key + row, -1, block.kv_head, block.request.query_length,
        block.request.kv_length};
    if constexpr (kHasRope) quads.rotate(at.key);
    // What is behind the last key is zeros, and no key.
    if (kHasKeyHook && at.key < block.work.kv_end) {
      quads.apply([&](float value, int dim) { return key_hook(value * scale, dim, at, args.hook_data); });
    }
    quads.store(tile, row);
  }
  if constexpr (kHeadDim % 16 != 0) {
    for (int row = threadIdx.x; row < kKeyTile; row += kThreads) {
      constexpr unsigned kZeros[4] = {};
      store_shared(tile + KeyTile::offset(row, kHeadChunks - 1), kZeros);
    }
  }
}
