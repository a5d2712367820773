// A tile of rows of attention against its keys: softmax(scale q k^T) v, one tile of keys after the other.
#pragma once

#include "cpu/attention_logits.h"
#include "cpu/attention_panels.h"
#include "cpu/attention_rows.h"
#include "cpu/attention_transform.h"
#include "cpu/matrix_product.h"
#include "cpu/online_softmax.h"

/// What the caches hold while a tile is worked on. Spec gives kKeyDim, kRestDim, kValueDim, kTileRows.
template <class Spec>
struct TilePanels {
  static constexpr int kDepth = padded_to_lanes(Spec::kKeyDim) + padded_to_lanes(Spec::kRestDim);
  static constexpr int kColumns = padded_to_lanes(Spec::kValueDim);

  alignas(64) float queries[Spec::kTileRows * kDepth];
  alignas(64) float keys[kDepth * kKeyTile];
  alignas(64) float values[kKeyTile * kColumns];
  alignas(64) float weights[Spec::kTileRows * kKeyTile];  ///< before: products, logits
  alignas(64) float sums[Spec::kTileRows * kColumns];     ///< of weights times values
  /// Rows on their way to a panel, where something is done to them.
  alignas(64) float rows[(Spec::kTransformsKeys      ? kKeyTile
                          : Spec::kTransformsQueries ? 1
                                                     : 0) *
                             Spec::kHeadDim +
                         1];
};

/// One block's part of the work. REQUIRES: prepare() before the rest.
template <class Spec>
class AttentionTile {
 public:
  using Query = typename Spec::Query;
  using Stored = typename Spec::Stored;
  using QueryStorage = typename Query::Storage;
  using StoredStorage = typename Stored::Storage;
  using Index = lathe::Index;
  static constexpr int kTileRows = Spec::kTileRows;
  static constexpr int kDepth = TilePanels<Spec>::kDepth;
  static constexpr int kColumns = TilePanels<Spec>::kColumns;
  static constexpr int kRestAt = padded_to_lanes(Spec::kKeyDim);

  AttentionTile(const lathe::AttentionArgs& args, int request, int kv_head)
      : args_(args), request_(args.requests[request]), number_(request), kv_head_(kv_head) {}

  void run(const lathe::AttentionWork& work) {
    describe_rows<Spec>(args_, request_, work, kv_head_, rows_);
    softmax_.clear(rows_.count);
    __builtin_memset(panels_.sums, 0, sizeof(float) * static_cast<unsigned long>(rows_.count * kColumns));
    pack_queries();
    for (int key = work.kv_begin; key < work.kv_end; key += kKeyTile)
      add_keys({key, work.kv_end - key < kKeyTile ? work.kv_end - key : kKeyTile});
  }

  const TileRows<kTileRows>& rows() const { return rows_; }
  /// Weighted sums of values, in the order of Query's lanes.
  const float* sums(int row) const { return panels_.sums + row * kColumns; }
  SoftmaxSum softmax(int row) const { return {softmax_.largest[row], softmax_.sum(row)}; }

 private:
  AttentionPlace place_of(int row) const {
    return place_of_row(request_, number_, rows_.query[row], rows_.head[row], kv_head_);
  }

  void pack_queries() {
    for (int i = 0; i < rows_.count; ++i) {
      const Index token = request_.query_begin + rows_.query[i];
      const auto* q = static_cast<const QueryStorage*>(args_.q) + token * args_.q_token_stride +
                      rows_.head[i] * args_.q_head_stride;
      const auto* rest = static_cast<const QueryStorage*>(args_.q_rest) + token * args_.q_rest_token_stride +
                         rows_.head[i] * args_.q_rest_head_stride;
      float* const to = panels_.queries + i * kDepth;
      if constexpr (Spec::kTransformsQueries) {
        widen_row<Query, Spec::kKeyDim>(q, panels_.rows);
        widen_row<Query, Spec::kRestDim>(rest, panels_.rows + Spec::kKeyDim);
        transform_query<Spec>(panels_.rows, place_of(i), args_.hook_data);
        pack_row<Query, F32, Spec::kKeyDim>(panels_.rows, to);
        pack_row<Query, F32, Spec::kRestDim>(panels_.rows + Spec::kKeyDim, to + kRestAt);
      } else {
        pack_row<Query, Query, Spec::kKeyDim>(q, to);
        pack_row<Query, Query, Spec::kRestDim>(rest, to + kRestAt);
      }
    }
  }

  KeyTensor key_tensor() const {
    return {args_.k, args_.k_outer_stride, args_.k_token_stride, kv_head_ * args_.k_head_stride};
  }

  KeyTensor rest_tensor() const {
    return {args_.k_rest, args_.k_rest_outer_stride, args_.k_rest_token_stride, 0};
  }
  KeyTensor value_tensor() const {
    if constexpr (Spec::kValuesAreKeys) return key_tensor();
    return {args_.v, args_.v_outer_stride, args_.v_token_stride, kv_head_ * args_.v_head_stride};
  }

  /// Of the stored keys.
  float key_scale() const {
    if constexpr (Spec::kKvScale == AttentionScale::none) return 1.0f;
    return args_.k_scale[Spec::kKvScale == AttentionScale::head ? kv_head_ : 0];
  }

  void pack(KeyTile tile) {
    KeyRows<StoredStorage> rows;
    find_rows<Spec>(args_, request_, value_tensor(), tile, rows);
    pack_values<Query, Stored, Spec::kValueDim>(rows, panels_.values);
    if constexpr (!Spec::kValuesAreKeys) find_rows<Spec>(args_, request_, key_tensor(), tile, rows);
    KeyRows<StoredStorage> rest;
    if constexpr (Spec::kRestDim > 0) find_rows<Spec>(args_, request_, rest_tensor(), tile, rest);
    if constexpr (Spec::kTransformsKeys) {
      pack_transformed(tile, rows, rest);
    } else {
      pack_keys<Query, Stored, Spec::kKeyDim>(rows, panels_.keys);
      pack_keys<Query, Stored, Spec::kRestDim>(rest, panels_.keys + kRestAt * kKeyTile);
    }
  }

  void pack_transformed(KeyTile tile, const KeyRows<StoredStorage>& keys,
                        const KeyRows<StoredStorage>& rest) {
    KeyRows<float> rows;
    for (int i = 0; i < kKeyTile; ++i) {
      rows.at[i] = reinterpret_cast<const float*>(kZeroRow);
      if (i >= tile.count) continue;
      float* const row = panels_.rows + i * Spec::kHeadDim;
      widen_row<Stored, Spec::kKeyDim>(keys.at[i], row);
      if constexpr (Spec::kRestDim > 0) widen_row<Stored, Spec::kRestDim>(rest.at[i], row + Spec::kKeyDim);
      const AttentionPlace place{number_,           -1, tile.first + i, -1, kv_head_, request_.query_length,
                                 request_.kv_length};
      transform_key<Spec>(row, key_scale(), place, args_.hook_data);
      rows.at[i] = row;
    }
    pack_keys<Query, F32, Spec::kKeyDim>(rows, panels_.keys);
    if constexpr (Spec::kRestDim > 0) {
      for (const float*& row : rows.at)
        row += row == reinterpret_cast<const float*>(kZeroRow) ? 0 : Spec::kKeyDim;
      pack_keys<Query, F32, Spec::kRestDim>(rows, panels_.keys + kRestAt * kKeyTile);
    }
  }

  LogitRow logit_row(int i) const {
    return {.place = place_of(i),
            .first = rows_.first[i],
            .end = rows_.end[i],
            .scale = Spec::kHasKeyHook ? args_.softmax_scale : args_.softmax_scale * key_scale(),
            .cap = args_.soft_cap,
            .slope = Spec::kHasAlibi ? args_.alibi_slopes[rows_.head[i]] : 0.0f};
  }

  /// Rows are in the order of their queries, so that those which see any of these keys stand together.
  void add_keys(KeyTile tile) {
    int begin = 0;
    int end = rows_.count;
    while (begin < end && rows_.end[begin] <= tile.first) ++begin;
    while (end > begin && rows_.first[end - 1] >= tile.first + tile.count) --end;
    if (begin == end) return;
    pack(tile);
    const Panel weights{panels_.weights + begin * kKeyTile, kKeyTile};
    multiply(end - begin, kKeyTile,
             {.result = weights,
              .left = {panels_.queries + begin * kDepth, kDepth},
              .right = {panels_.keys, kKeyTile},
              .depth = kDepth});
    for (int i = begin; i < end; ++i) weigh(i, tile);
    multiply(end - begin, kColumns,
             {.result = {panels_.sums + begin * kColumns, kColumns},
              .left = weights,
              .right = {panels_.values, kColumns},
              .depth = kKeyTile,
              .factors = softmax_.factor + begin});
  }

  void weigh(int row, KeyTile tile) {
    float* const at = panels_.weights + row * kKeyTile;
    TileLogits logits;
    __builtin_memcpy(&logits, at, sizeof logits);
    const LogitRow place = logit_row(row);
    make_logits<Spec>(place, tile, args_.hook_data, logits);
    hide_masked<Spec>(args_, request_, place, tile, logits);
    add_tile(softmax_, row, logits);
    __builtin_memcpy(at, &logits, sizeof logits);
  }

  const lathe::AttentionArgs& args_;
  const lathe::AttentionRequest& request_;
  const int number_;  ///< of the request
  const int kv_head_;
  TileRows<kTileRows> rows_;
  SoftmaxRows<kTileRows> softmax_;
  TilePanels<Spec> panels_;
};
