// Where a block of attention finds its keys and values, and what is done to keys before their products.
#pragma once

#include "cpu/attention_keys.h"
#include "cpu/attention_transform.h"

/// One address per key of a tile, and per value. Rest is null where keys have none.
template <class Storage>
struct TileSource {
  KeyRows<Storage> keys;
  KeyRows<Storage> rest;
  KeyRows<Storage> values;
};

/// The keys and values of one request and key-value head. Spec gives their types and dimensions.
template <class Spec>
class KeySource {
 public:
  using Stored = typename Spec::Stored;
  using Source = TileSource<typename Stored::Storage>;

  void begin(const lathe::AttentionArgs& args, int request, int kv_head) {
    args_ = &args;
    request_ = &args.requests[request];
    number_ = request;
    kv_head_ = kv_head;
  }

  /// Of the stored keys.
  float key_scale() const {
    if constexpr (Spec::kKvScale == AttentionScale::none) return 1.0f;
    return args_->k_scale[Spec::kKvScale == AttentionScale::head ? kv_head_ : 0];
  }

  void find(KeyTile tile, Source& source) const {
    const lathe::AttentionArgs& args = *args_;
    find_rows<Spec>(args, *request_,
                    {args.k, args.k_outer_stride, args.k_token_stride, kv_head_ * args.k_head_stride}, tile,
                    source.keys);
    if constexpr (Spec::kRestDim > 0) {
      find_rows<Spec>(args, *request_, {args.k_rest, args.k_rest_outer_stride, args.k_rest_token_stride, 0},
                      tile, source.rest);
    }
    if constexpr (!Spec::kValuesAreKeys) {
      find_rows<Spec>(args, *request_,
                      {args.v, args.v_outer_stride, args.v_token_stride, kv_head_ * args.v_head_stride}, tile,
                      source.values);
    }
  }

  static const KeyRows<typename Stored::Storage>& values_of(const Source& source) {
    return Spec::kValuesAreKeys ? source.keys : source.values;
  }

  /// Keys as floats in memory's order, the rest behind them, at `to`: kKeyTile rows of kHeadDim.
  void transform(KeyTile tile, const Source& source, float* to, KeyRows<float>& rows) const {
    for (int i = 0; i < kKeyTile; ++i) {
      rows.at[i] = reinterpret_cast<const float*>(kZeroRow);
      if (i >= tile.count) continue;
      float* const row = to + i * Spec::kHeadDim;
      widen_row<Stored, Spec::kKeyDim>(source.keys.at[i], row);
      if constexpr (Spec::kRestDim > 0)
        widen_row<Stored, Spec::kRestDim>(source.rest.at[i], row + Spec::kKeyDim);
      const AttentionPlace place{
          number_, -1, tile.first + i, -1, kv_head_, request_->query_length, request_->kv_length};
      transform_key<Spec>(row, key_scale(), place, args_->hook_data);
      rows.at[i] = row;
    }
  }

 private:
  const lathe::AttentionArgs* args_;
  const lathe::AttentionRequest* request_;
  int number_;  ///< of the request
  int kv_head_;
};

/// Rows of transformed keys, from where their rest begins.
template <class Spec>
inline void skip_to_rest(KeyRows<float>& rows) {
  for (const float*& row : rows.at)
    row += row == reinterpret_cast<const float*>(kZeroRow) ? 0 : Spec::kKeyDim;
}
