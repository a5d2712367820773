// Where the keys and values of a block's request lie, and how a tile of them gets into shared memory.
#pragma once

#include "cuda/attention_shared.cuh"
#include "cuda/copy_units.cuh"

class Keys {
 public:
  __device__ Keys(const lathe::AttentionArgs& args, const Block& block, char* shared)
      : args_(args),
        first_(block.work.kv_begin),
        end_(block.work.kv_end),
        places_(reinterpret_cast<Index*>(shared + kPlaceOffset)),
        shared_(shared_address(shared)) {
    const lathe::AttentionRequest& request = block.request;
    Index k = block.kv_head * args.k_head_stride;
    Index v = block.kv_head * args.v_head_stride;
    Index rest = 0;
    if constexpr (kStorage == KvStorage::contiguous) {
      k += request.kv_begin * args.k_outer_stride;
      v += request.kv_begin * args.v_outer_stride;
      rest += request.kv_begin * args.k_rest_outer_stride;
    } else if constexpr (kStorage == KvStorage::ragged) {
      k += request.kv_begin * args.k_token_stride;
      v += request.kv_begin * args.v_token_stride;
      rest += request.kv_begin * args.k_rest_token_stride;
    } else {
      pages_ = static_cast<const PageIndex*>(args.page_indices) + request.kv_begin;
    }
    k_ = static_cast<const char*>(args.k) + k * kStoredBytes;
    if constexpr (!kValuesAreKeys) v_ = static_cast<const char*>(args.v) + v * kStoredBytes;
    if constexpr (kRestDim > 0) rest_ = static_cast<const char*>(args.k_rest) + rest * kStoredBytes;
  }

  __device__ int tiles() const { return (end_ - first_ + kKeyTile - 1) / kKeyTile; }
  __device__ int first_key(int tile) const { return first_ + tile * kKeyTile; }

  /// Paged: the page of a tile's key, to be handed to set_place, some work later.
  __device__ PageIndex page(int tile, int row) const {
    const int key = first_key(tile) + row;
    if (!kIsPaged || row >= kKeyTile || key >= end_) return 0;
    return pages_[key / kPageSize];
  }

  /// Notes where a tile's key lies. A barrier must stand between this and copies of the tile.
  __device__ void set_place(int tile, int row, PageIndex number) const {
    if (!kIsPaged || row >= kKeyTile) return;
    const Index page = number;
    const int token = (first_key(tile) + row) % kPageSize;
    Index* place = places_ + place_of(tile, 0, row);
    place[0] = page * args_.k_outer_stride + token * args_.k_token_stride;
    if constexpr (!kValuesAreKeys)
      place[kKeyTile] = page * args_.v_outer_stride + token * args_.v_token_stride;
    if constexpr (kRestDim > 0)
      place[(kPlaceKinds - 1) * kKeyTile] =
          page * args_.k_rest_outer_stride + token * args_.k_rest_token_stride;
  }

  /// Into the tile's place in the ring; what is behind the last key becomes zeros.
  __device__ void copy_keys(int tile) const {
    const unsigned to = kIsStaged ? raw_tile(shared_, tile) : key_tile(shared_, tile);
    const auto from = [&](unsigned row, unsigned at) -> UnitSource {
      const bool exists = first_key(tile) + static_cast<int>(row) < end_ && at < kHeadDim * kStoredBytes;
      if (kRestDim > 0 && at >= kKeyDim * kStoredBytes) {
        return {rest_ + offset(tile, kPlaceKinds - 1, row, args_.k_rest_token_stride) * kStoredBytes +
                    (at - kKeyDim * kStoredBytes),
                exists};
      }
      return {k_ + offset(tile, 0, row, args_.k_token_stride) * kStoredBytes + at, exists};
    };
    copy_rows<KeyTile, kRawKeyRowBytes, kHeadDim>(to, from);
  }

  __device__ void copy_values(int tile) const {
    const unsigned to =
        kIsStaged ? raw_tile(shared_, tile) + kKeyTile * kRawKeyRowBytes : value_tile(shared_, tile);
    const auto from = [&](unsigned row, unsigned at) -> UnitSource {
      const bool exists = first_key(tile) + static_cast<int>(row) < end_ && at < kValueDim * kStoredBytes;
      return {v_ + offset(tile, 1, row, args_.v_token_stride) * kStoredBytes + at, exists};
    };
    copy_rows<ValueTile, kRawValueRowBytes, kValueDim>(to, from);
  }

 private:
  __device__ static int place_of(int tile, int kind, int row) {
    return (tile % kPlaceRing * kPlaceKinds + kind) * kKeyTile + row;
  }

  /// In elements.
  __device__ Index offset(int tile, int kind, int row, Index token_stride) const {
    if constexpr (kIsPaged) return places_[place_of(tile, kind, row)];
    return (first_key(tile) + row) * token_stride;
  }

  /// Rows of kDim elements, into a tile or, staged, as they are. `from` takes the row and the byte in it.
  template <class Tile, int kRawRowBytes, int kDim, class From>
  __device__ static void copy_rows(unsigned to, From from) {
    if constexpr (kIsStaged) {
      constexpr int kUnit = kRawUnitBytes;
      copy_units<kThreads, kKeyTile, kDim * kStoredBytes / kUnit, kUnit, kKeyCopyBytes>(
          [&](unsigned row, unsigned unit) { return to + row * kRawRowBytes + unit * kUnit; },
          [&](unsigned row, unsigned unit) { return from(row, unit * kUnit); });
    } else {
      copy_units<kThreads, kKeyTile, Tile::kRowBytes / 16, 16, kKeyCopyBytes>(
          [&](unsigned row, unsigned unit) { return to + Tile::offset(row, unit); },
          [&](unsigned row, unsigned unit) { return from(row, unit * 16); });
    }
  }

  const lathe::AttentionArgs& args_;
  int first_;
  int end_;
  Index* places_;
  unsigned shared_;
  const char* k_ = nullptr;
  const char* v_ = nullptr;
  const char* rest_ = nullptr;
  const PageIndex* pages_ = nullptr;
};
