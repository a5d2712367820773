// A tile of rows of attention against its keys: softmax(scale q k^T) v, one tile of keys after the other.
#pragma once

#include "cpu/attention_key_panels.h"
#include "cpu/attention_key_rows.h"
#include "cpu/attention_logits.h"
#include "cpu/attention_output.h"
#include "cpu/attention_rows.h"
#include "cpu/online_softmax.h"

/// Up to so many rows read keys and values where they lie; more of them pay for packing.
constexpr int kFewRows = 16;

template <class Spec>
constexpr bool kReadsInPlace = Spec::kTileRows <= kFewRows;

/// One block's part of the work. REQUIRES: begin() before the rest. Each function by itself compiles in less
/// time than all of them in one.
template <class Spec>
class AttentionTile {
 public:
  using Keys = typename Either<kReadsInPlace<Spec>, KeysInPlace<Spec>, KeyPanels<Spec>>::Type;
  using Query = typename Spec::Query;
  using QueryStorage = typename Query::Storage;
  using Index = lathe::Index;
  static constexpr int kTileRows = Spec::kTileRows;
  static constexpr int kDepth = Keys::kDepth;
  static constexpr int kColumns = Keys::kColumns;

  __attribute__((noinline)) void begin(const lathe::AttentionArgs& args, const lathe::AttentionWork& work,
                                       int kv_head) {
    args_ = &args;
    request_ = &args.requests[work.request];
    number_ = work.request;
    kv_head_ = kv_head;
    describe_rows<Spec>(args, *request_, work, kv_head, rows_);
    softmax_.clear(rows_.count);
    __builtin_memset(sums_, 0, sizeof(float) * static_cast<unsigned long>(rows_.count * kColumns));
    pack_queries();
    source_.begin(args, work.request, kv_head);
    keys_.begin(source_);
  }

  /// `next` is the tile that comes next, of no keys after the last. Rows are in the order of their queries,
  /// so that those which see any of these keys stand together.
  __attribute__((noinline)) void add_keys(KeyTile tile, KeyTile next) {
    int begin = 0;
    int end = rows_.count;
    while (begin < end && rows_.end[begin] <= tile.first) ++begin;
    while (end > begin && rows_.first[end - 1] >= tile.first + tile.count) --end;
    if (begin == end) return;
    keys_.take(tile, next);
    float* const weights = weights_ + begin * kKeyTile;
    keys_.multiply_queries(end - begin, queries_ + begin * kDepth, weights);
    for (int i = begin; i < end; ++i) weigh(i, tile);
    keys_.add_values(end - begin, weights, softmax_.factor + begin, sums_ + begin * kColumns);
  }

  /// Writes the rows' results, or their part of them.
  __attribute__((noinline)) void finish(const lathe::AttentionWork& work) {
    for (int i = 0; i < rows_.count; ++i) {
      float* const sums = sums_ + i * kColumns;
      for_each_vector<Spec::kValueDim>([&](int at, auto) {
        Floats values;
        __builtin_memcpy(&values, sums + at, sizeof values);
        values = in_order_of<Query, typename Keys::SumOrder>(values);
        __builtin_memcpy(sums + at, &values, sizeof values);
      });
      const SoftmaxSum softmax{softmax_.largest[i], softmax_.sum(i)};
      if (work.slot >= 0) {
        write_partial<Spec>(partial_at<Spec>(*args_, work.slot, kv_head_), i, sums, softmax);
      } else {
        write_row<Spec>(*args_, *request_, place_of(i), sums, softmax);
      }
    }
  }

 private:
  using Order = typename Keys::QueryOrder;
  static constexpr int kRestAt = Keys::kRestAt;

  AttentionPlace place_of(int row) const {
    return place_of_row(*request_, number_, rows_.query[row], rows_.head[row], kv_head_);
  }

  void pack_queries() {
    for (int i = 0; i < rows_.count; ++i) {
      const Index token = request_->query_begin + rows_.query[i];
      const auto* q = static_cast<const QueryStorage*>(args_->q) + token * args_->q_token_stride +
                      rows_.head[i] * args_->q_head_stride;
      const auto* rest = static_cast<const QueryStorage*>(args_->q_rest) +
                         token * args_->q_rest_token_stride + rows_.head[i] * args_->q_rest_head_stride;
      float* const to = queries_ + i * kDepth;
      if constexpr (Spec::kTransformsQueries) {
        float row[Spec::kHeadDim];
        widen_row<Query, Spec::kKeyDim>(q, row);
        widen_row<Query, Spec::kRestDim>(rest, row + Spec::kKeyDim);
        transform_query<Spec>(row, place_of(i), args_->hook_data);
        pack_row<Order, F32, Spec::kKeyDim>(row, to);
        pack_row<Order, F32, Spec::kRestDim>(row + Spec::kKeyDim, to + kRestAt);
      } else {
        pack_row<Order, Query, Spec::kKeyDim>(q, to);
        pack_row<Order, Query, Spec::kRestDim>(rest, to + kRestAt);
      }
    }
  }

  LogitRow logit_row(int i) const {
    return {.place = place_of(i),
            .first = rows_.first[i],
            .end = rows_.end[i],
            .scale = Spec::kHasKeyHook ? args_->softmax_scale : args_->softmax_scale * source_.key_scale(),
            .cap = args_->soft_cap,
            .slope = Spec::kHasAlibi ? args_->alibi_slopes[rows_.head[i]] : 0.0f};
  }

  __attribute__((noinline)) void weigh(int row, KeyTile tile) {
    float* const at = weights_ + row * kKeyTile;
    TileLogits logits;
    __builtin_memcpy(&logits, at, sizeof logits);
    const LogitRow place = logit_row(row);
    make_logits<Spec>(place, tile, args_->hook_data, logits);
    hide_masked<Spec>(*args_, *request_, place, tile, logits);
    add_tile(softmax_, row, logits);
    __builtin_memcpy(at, &logits, sizeof logits);
  }

  const lathe::AttentionArgs* args_;
  const lathe::AttentionRequest* request_;
  int number_;  ///< of the request
  int kv_head_;
  TileRows<kTileRows> rows_;
  SoftmaxRows<kTileRows> softmax_;
  KeySource<Spec> source_;
  Keys keys_;
  alignas(64) float queries_[kTileRows * kDepth];
  alignas(64) float weights_[kTileRows * kKeyTile];  ///< before: products, logits
  alignas(64) float sums_[kTileRows * kColumns];     ///< of weights times values
};
