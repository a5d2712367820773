// How an attention block uses its shared memory. Offsets and sizes are in bytes.
#pragma once

#include "cuda/attention_block.cuh"
#include "cuda/ptx/shared.cuh"
#include "cuda/swizzled_tile.cuh"

constexpr int kStoredBytes = sizeof(Stored::Storage);
constexpr bool kTransformsKeys = kHasRope || kHasKeyHook;
/// Keys and values are copied as they are stored, and converted from there.
constexpr bool kIsStaged = kStoredBytes != 2 || kTransformsKeys;
/// One tile is both.
constexpr bool kSharesTile = kValuesAreKeys && !kTransformsKeys;
constexpr bool kIsPaged = kStorage == KvStorage::paged;

using KeyTile = SwizzledTile<kHeadChunks>;
using ValueTile = SwizzledTile<kSharesTile ? kHeadChunks : kValueChunks>;
using WeightTile = SwizzledTile<kKeyTile / 8>;

constexpr int kQueryBytes = kRows * KeyTile::kRowBytes;
constexpr int kKeyTileBytes = kKeyTile * KeyTile::kRowBytes;
constexpr int kValueTileBytes = kSharesTile ? 0 : kKeyTile * ValueTile::kRowBytes;
/// Rows as they are stored.
constexpr int kRawKeyRowBytes = (kHeadDim * kStoredBytes + 15) / 16 * 16;
constexpr int kRawValueRowBytes = kValuesAreKeys ? 0 : (kValueDim * kStoredBytes + 15) / 16 * 16;
/// What they are copied in: 8 elements at least.
constexpr int kRawUnitBytes =
    (kKeyDim | kRestDim | (kValuesAreKeys ? 0 : kValueDim)) * kStoredBytes % 16 == 0 ? 16 : 8;
constexpr int kRawBytes = kKeyTile * (kRawKeyRowBytes + kRawValueRowBytes);

/// Where rows of a tile begin: of tiles that are under way, and of one more.
constexpr int kPlaceRing = kStages + 1 > 3 ? kStages + 1 : 3;
constexpr int kPlaceKinds = 1 + (kValuesAreKeys ? 0 : 1) + (kRestDim > 0 ? 1 : 0);
constexpr int kPlaceBytes = kIsPaged ? kPlaceRing * kPlaceKinds * kKeyTile * 8 : 0;

constexpr int kKeyOffset = kQueryBytes;
constexpr int kValueOffset = kKeyOffset + (kIsStaged ? 1 : kStages) * kKeyTileBytes;
constexpr int kRawOffset = kValueOffset + (kIsStaged ? 1 : kStages) * kValueTileBytes;
constexpr int kPlaceOffset = kRawOffset + (kIsStaged ? kStages * kRawBytes : 0);
constexpr int kWeightOffset = kPlaceOffset + kPlaceBytes;
constexpr int kTopOffset = kWeightOffset + (kColumnWarps > 1 ? kRows * WeightTile::kRowBytes : 0);
constexpr int kLoopBytes = kTopOffset + (kColumnWarps > 1 ? kColumnWarps * kRows * 4 : 0);

/// In the end the sums of all warps, in the same place. A row's padding spreads rows over the banks.
constexpr int kSumRowFloats = kValueChunks * 8 + 8;
constexpr int kSumBytes = kKeyWarps * kRows * kSumRowFloats * 4;
/// And of each part of the warps the maximum and the sum of weights per row.
constexpr int kParts = kKeyWarps * kColumnWarps;
constexpr int kStatisticsOffset = kLoopBytes > kSumBytes ? kLoopBytes : kSumBytes;
static_assert(kStatisticsOffset + kParts * kRows * 8 == kSharedBytes, "the host counts the same");

constexpr int slot_of(int tile) {
  return kIsStaged ? 0 : tile % kStages;
}

__device__ inline unsigned key_tile(unsigned shared, int tile) {
  return shared + kKeyOffset + slot_of(tile) * kKeyTileBytes;
}

__device__ inline unsigned value_tile(unsigned shared, int tile) {
  if constexpr (kSharesTile) return key_tile(shared, tile);
  return shared + kValueOffset + slot_of(tile) * kValueTileBytes;
}

/// Of the keys, which those of the values follow.
__device__ inline unsigned raw_tile(unsigned shared, int tile) {
  return shared + kRawOffset + tile % kStages * kRawBytes;
}
