// Keys and values of a tile, packed into panels of floats: many rows pay for that.
#pragma once

#include "cpu/attention_panels.h"
#include "cpu/attention_source.h"
#include "cpu/matrix_product.h"

/// Products of rows with a tile of keys and of weights with its values. Spec gives kKeyDim, kRestDim,
/// kValueDim.
template <class Spec>
class KeyPanels {
 public:
  using Query = typename Spec::Query;
  using Stored = typename Spec::Stored;
  using QueryOrder = Query;  ///< of the lanes of rows of queries
  using SumOrder = Query;    ///< of sums of values
  static constexpr int kRestAt = padded_to_lanes(Spec::kKeyDim);
  static constexpr int kDepth = kRestAt + padded_to_lanes(Spec::kRestDim);
  static constexpr int kColumns = padded_to_lanes(Spec::kValueDim);

  void begin(const KeySource<Spec>& source) { source_ = &source; }

  __attribute__((noinline)) void take(KeyTile tile, KeyTile) {
    typename KeySource<Spec>::Source source;
    source_->find(tile, source);
    pack_values<Query, Stored, Spec::kValueDim>(KeySource<Spec>::values_of(source), values_);
    if constexpr (Spec::kTransformsKeys) {
      KeyRows<float> rows;
      source_->transform(tile, source, rows_, rows);
      pack_keys<Query, F32, Spec::kKeyDim>(rows, keys_);
      if constexpr (Spec::kRestDim > 0) {
        skip_to_rest<Spec>(rows);
        pack_keys<Query, F32, Spec::kRestDim>(rows, keys_ + kRestAt * kKeyTile);
      }
    } else {
      pack_keys<Query, Stored, Spec::kKeyDim>(source.keys, keys_);
      if constexpr (Spec::kRestDim > 0)
        pack_keys<Query, Stored, Spec::kRestDim>(source.rest, keys_ + kRestAt * kKeyTile);
    }
  }

  /// products = queries * keys, of kKeyTile columns.
  void multiply_queries(int rows, float* queries, float* products) {
    multiply(rows, kKeyTile,
             {.result = {products, kKeyTile},
              .left = {queries, kDepth},
              .right = {keys_, kKeyTile},
              .depth = kDepth});
  }

  /// sums = sums * factors + weights * values.
  void add_values(int rows, float* weights, const float* factors, float* sums) {
    multiply(rows, kColumns,
             {.result = {sums, kColumns},
              .left = {weights, kKeyTile},
              .right = {values_, kColumns},
              .depth = kKeyTile,
              .factors = factors});
  }

 private:
  const KeySource<Spec>* source_;
  alignas(64) float keys_[kDepth * kKeyTile];
  alignas(64) float values_[kKeyTile * kColumns];
  /// Keys on their way to their panel, where something is done to them.
  alignas(64) float rows_[(Spec::kTransformsKeys ? kKeyTile * Spec::kHeadDim : 0) + 1];
};
