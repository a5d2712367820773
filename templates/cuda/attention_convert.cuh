// Tiles of keys and values from how they are stored to what products take: other types become q's, keys go
// through the hook.
#pragma once

#include "cuda/attention_shared.cuh"
#include "cuda/pack.cuh"
#include "user/attention_hooks.h"

/// The scale and the hook of 8 elements of a key.
__device__ inline void transform_key(const lathe::AttentionArgs& args, const Block& block, int key, int dim,
                                     float (&values)[8]) {
  if (key >= block.work.kv_end) return;
  const AttentionPlace at{block.work.request,     -1, key, -1, block.kv_head, block.request.query_length,
                          block.request.kv_length};
  const float scale = k_scale_of(args, block.kv_head);
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] = key_hook(values[i] * scale, dim + i, at, args.hook_data);
}

/// A tile's rows of kDim elements. `transform(row, dim, values)` sees 8 at a time.
template <class Tile, int kChunks, int kDim, int kRawRowBytes, class Transform>
__device__ inline void convert_rows(const char* from, unsigned to, Transform transform) {
  for (unsigned i = threadIdx.x; i < kKeyTile * kChunks; i += kThreads) {
    const unsigned row = i / kChunks;
    const unsigned chunk = i % kChunks;
    unsigned words[4] = {};
    if (chunk * 8 < kDim) {
      float values[8];
      load_pack<Stored>(reinterpret_cast<const Stored::Storage*>(from + row * kRawRowBytes) + chunk * 8,
                        values);
      transform(static_cast<int>(row), static_cast<int>(chunk) * 8, values);
#pragma unroll
      for (int k = 0; k < 4; ++k) words[k] = Element::pack(values + 2 * k);
    }
    store_shared(to + Tile::offset(row, chunk), words);
  }
}

/// Both of a tile; `first_key` is its first in the request. Barriers must stand before and after.
__device__ inline void convert_tiles(const lathe::AttentionArgs& args, const Block& block, int first_key,
                                     int tile, char* shared) {
  const unsigned base = shared_address(shared);
  const char* raw = shared + (raw_tile(base, tile) - base);
  convert_rows<KeyTile, kHeadChunks, kHeadDim, kRawKeyRowBytes>(
      raw, key_tile(base, tile), [&](int row, int dim, float(&values)[8]) {
        if constexpr (kHasKeyHook) transform_key(args, block, first_key + row, dim, values);
      });
  if constexpr (kSharesTile) return;
  const char* values = kValuesAreKeys ? raw : raw + kKeyTile * kRawKeyRowBytes;
  convert_rows<ValueTile, kValueChunks, kValueDim, kValuesAreKeys ? kRawKeyRowBytes : kRawValueRowBytes>(
      values, value_tile(base, tile), [](int, int, float(&)[8]) {});
}
