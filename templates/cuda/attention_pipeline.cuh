// The main loop of an attention block: tiles of keys and values on their way in while those that have come
// are multiplied.
#pragma once

#include "cuda/attention_convert.cuh"
#include "cuda/attention_keys.cuh"
#include "cuda/attention_output.cuh"

/// Each tile's keys and values are a group of copies of their own, in this order, unless they come together.
constexpr bool kComesApart = !kIsStaged && !kSharesTile;
constexpr bool kTransformsQueries = kHasRope || kHasQueryHook;
/// Groups that are under way when the queries have come, and when those of a tile have.
constexpr int kFirstGroups = kComesApart ? 2 * kStages - 1 : kIsStaged ? kStages : kStages - 1;
constexpr int kLaterGroups = kComesApart ? 2 * (kStages - 1) : kIsStaged ? kStages - 1 : kStages - 2;
/// Wide sums leave a thread few registers for anything else.
constexpr bool kReadsBlockAgain = kRowFragments * kValueFragments * 8 > 192;
static_assert(!kSharesTile || kIsStaged || kStages >= 2, "one tile is read while the next comes");

/// A warp's part in the loop, from the first tile to its sums.
class Attention {
 public:
  __device__ Attention(const lathe::AttentionArgs& args, const Block& block, char* shared)
      : args_(args),
        block_(block),
        shared_(shared),
        base_(shared_address(shared)),
        keys_(args, block, shared),
        queries_(base_, warp_),
        rows_(args, block, warp_) {}

  /// All threads of the block call it, and the rest, together.
  __device__ void start() {
    copy_queries(args_, block_, base_);
    commit_copies();
    find_first_places();
    send_first();
    if constexpr (kQueriesInRegisters || kTransformsQueries) {
      wait_for_copies<kFirstGroups>();
      __syncthreads();
      if constexpr (kTransformsQueries) {
        transform_queries(args_, block_, shared_);
        __syncthreads();
      }
      queries_.load();
    }
  }

  __device__ int tiles() const { return keys_.tiles(); }

  __device__ void attend(int tile) {
    // What the tile needs first has come, and all warps are done with the tile before.
    wait_for_copies<kLaterGroups>();
    __syncthreads();
    // Asked for now, noted down when it has come.
    const int own_row = static_cast<int>(threadIdx.x);
    const PageIndex page = keys_.page(tile + kStages + 1, own_row);
    if constexpr (kComesApart) send_values(tile + kStages - 1);
    if constexpr (kIsStaged) {
      convert_tiles(args_, block_, keys_.first_key(tile), tile, shared_);
      keys_.set_place(tile + kStages + 1, own_row, page);
      __syncthreads();
      send_both(tile + kStages);
    } else if constexpr (kSharesTile) {
      send_both(tile + kStages - 1);
    }

    const int first_key = warp_.part * kWarpKeys;
    const bool sees_any = kColumnWarps > 1 || rows_.see_any(keys_.first_key(tile) + first_key);
    Logits logits;
    if (sees_any) {
      multiply_queries_keys(queries_, key_tile(base_, tile), first_key, warp_.lane, logits);
      rows_.finish(keys_.first_key(tile) + first_key, warp_.fragment_column(), logits);
      if constexpr (kColumnWarps == 1) weigh_own_keys(logits, softmax_);
    }
    if constexpr (kColumnWarps > 1) weigh_shared_keys(logits, softmax_, warp_, shared_);
    if constexpr (!kIsStaged) keys_.set_place(tile + kStages + 1, own_row, page);
    if constexpr (kComesApart) wait_for_copies<kLaterGroups>();
    if constexpr (kComesApart || kColumnWarps > 1) __syncthreads();
    if constexpr (kComesApart) send_keys(tile + kStages);

    if constexpr (kColumnWarps > 1) {
      multiply_shared_weights(base_ + kWeightOffset, value_tile(base_, tile), warp_, softmax_.sums);
    } else if (sees_any) {
      multiply_own_weights(logits, value_tile(base_, tile), first_key, warp_.lane, softmax_.sums);
    }
  }

  __device__ void finish() {
    // The results take the place of the tiles.
    wait_for_copies<0>();
    __syncthreads();
    if constexpr (kReadsBlockAgain) {
      write_results(args_, block_of(args_), softmax_, warp_, shared_);
    } else {
      write_results(args_, block_, softmax_, warp_, shared_);
    }
  }

 private:
  /// Where the keys of the first tiles lie.
  __device__ void find_first_places() const {
    if constexpr (kIsPaged) {
      static_assert(kStages < kPlaceRing, "the places of all of them are noted at once");
#pragma unroll 1
      for (int i = threadIdx.x; i < (kStages + 1) * kKeyTile; i += kThreads) {
        const int tile = i / kKeyTile;
        const int row = i % kKeyTile;
        keys_.set_place(tile, row, keys_.page(tile, row));
      }
      __syncthreads();
    }
  }

  __device__ void send_first() const {
#pragma unroll 1
    for (int tile = 0; tile < kStages; ++tile) {
      if constexpr (kComesApart) {
        send_keys(tile);
        if (tile + 1 < kStages) send_values(tile);
      } else if (kIsStaged || tile + 1 < kStages) {
        send_both(tile);
      }
    }
  }

  // Of tiles that there are; a group is ended in any case, so that they can be counted.
  __device__ void send_keys(int tile) const {
    if (tile < tiles()) keys_.copy_keys(tile);
    commit_copies();
  }
  __device__ void send_values(int tile) const {
    if (tile < tiles()) keys_.copy_values(tile);
    commit_copies();
  }
  __device__ void send_both(int tile) const {
    if (tile < tiles()) {
      keys_.copy_keys(tile);
      if constexpr (!kValuesAreKeys) keys_.copy_values(tile);
    }
    commit_copies();
  }

  const lathe::AttentionArgs& args_;
  const Block& block_;
  char* shared_;
  unsigned base_;
  WarpPlace warp_;
  Keys keys_;
  Queries queries_;
  LogitRows rows_;
  OnlineSoftmax softmax_;
};
