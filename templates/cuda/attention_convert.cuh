// Tiles of keys and values from how they are stored to what products take.
#pragma once

#include "cuda/attention_transform.cuh"

/// A tile's rows of kDim elements, to q's type.
template <class Tile, int kChunks, int kDim, int kRawRowBytes>
__device__ inline void convert_rows(const char* from, unsigned to) {
  // Sums take most of the registers meanwhile.
#pragma unroll 1
  for (unsigned i = threadIdx.x; i < kKeyTile * kChunks; i += kThreads) {
    const unsigned row = i / kChunks;
    const unsigned chunk = i % kChunks;
    unsigned words[4] = {};
    if (chunk * 8 < kDim) {
      float values[8];
      load_pack<Stored>(reinterpret_cast<const Stored::Storage*>(from + row * kRawRowBytes) + chunk * 8,
                        values);
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
  if constexpr (kTransformsKeys) {
    transform_keys(args, block, first_key, raw, key_tile(base, tile));
  } else {
    convert_rows<KeyTile, kHeadChunks, kHeadDim, kRawKeyRowBytes>(raw, key_tile(base, tile));
  }
  if constexpr (kSharesTile) return;
  const char* values = kValuesAreKeys ? raw : raw + kKeyTile * kRawKeyRowBytes;
  convert_rows<ValueTile, kValueChunks, kValueDim, kValuesAreKeys ? kRawKeyRowBytes : kRawValueRowBytes>(
      values, value_tile(base, tile));
}
