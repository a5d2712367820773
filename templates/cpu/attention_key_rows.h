// Keys and values of a tile, used where they lie: a few rows do not pay for packing them.
#pragma once

#include "cpu/attention_source.h"
#include "cpu/row_product.h"

template <bool kFirst, class A, class B>
struct Either {
  using Type = A;
};
template <class A, class B>
struct Either<false, A, B> {
  using Type = B;
};

/// The largest power of two that is not above `count`.
constexpr int power_of_two_in(int count) {
  int power = 1;
  while (2 * power <= count) power *= 2;
  return power;
}

/// Products of rows with a tile of keys and of weights with its values. Spec gives kKeyDim, kRestDim,
/// kValueDim, kGroup and kTileRows.
template <class Spec>
class KeysInPlace {
 public:
  using Stored = typename Spec::Stored;
  using Read = typename Either<Spec::kTransformsKeys, F32, Stored>::Type;
  using QueryOrder = Read;  ///< of the lanes of rows of queries
  using SumOrder = Stored;  ///< of sums of values
  static constexpr int kRestAt = padded_to_lanes(Spec::kKeyDim);
  static constexpr int kDepth = kRestAt + padded_to_lanes(Spec::kRestDim);
  static constexpr int kColumns = padded_to_lanes(Spec::kValueDim);

  void begin(const KeySource<Spec>& source) {
    source_ = &source;
    found_ = -1;
  }

  /// `next` is the tile that is probably taken next; what it needs is fetched meanwhile.
  void take(KeyTile tile, KeyTile next) {
    now_ ^= 1;
    if (found_ != tile.first) source_->find(tile, sources_[now_]);
    source_->find(next, sources_[now_ ^ 1]);
    found_ = next.first;
    count_ = tile.count;
    if constexpr (Spec::kTransformsKeys) source_->transform(tile, sources_[now_], rows_, transformed_);
  }

  /// products = queries * keys, of kKeyTile columns.
  void multiply_queries(int rows, float* queries, float* products) {
    const auto& here = sources_[now_];
    const auto& next = sources_[now_ ^ 1];
    const FewRows result{products, kKeyTile};
    if constexpr (Spec::kTransformsKeys) {
      multiply_rows<Spec::kKeyDim, false>(rows, {queries, kDepth}, transformed_, next.keys, result);
      if constexpr (Spec::kRestDim > 0) {
        skip_to_rest<Spec>(transformed_);
        multiply_rows<Spec::kRestDim, true>(rows, {queries + kRestAt, kDepth}, transformed_, next.rest,
                                            result);
      }
    } else {
      multiply_rows<Spec::kKeyDim, false>(rows, {queries, kDepth}, here.keys, next.keys, result);
      if constexpr (Spec::kRestDim > 0)
        multiply_rows<Spec::kRestDim, true>(rows, {queries + kRestAt, kDepth}, here.rest, next.rest, result);
    }
  }

  /// sums = sums * factors + weights * values.
  void add_values(int rows, float* weights, const float* factors, float* sums) {
    Ahead<StoredStorage> ahead{sources_[now_ ^ 1].values.at, kBytesOf<Spec::kValueDim>};
    if constexpr (Spec::kValuesAreKeys) ahead.vectors = nullptr;
    add_rows<kMostRows>(rows, {{weights, kKeyTile}, factors, {sums, kColumns}}, ahead);
  }

 private:
  using StoredStorage = typename Stored::Storage;
  static constexpr int kMostRows =
      Spec::kGroup < 4 ? 4 : power_of_two_in(Spec::kGroup < kMostRowsAtOnce ? Spec::kGroup : kMostRowsAtOnce);
  /// Where tiles hold whole groups, the rows that see a key do.
  static constexpr int kLeastRows = Spec::kTileRows % Spec::kGroup == 0 ? Spec::kGroup & -Spec::kGroup : 1;
  template <int kDim>
  static constexpr int kBytesOf = kDim * static_cast<int>(sizeof(StoredStorage));

  template <int kDim, bool kAdds>
  void multiply_rows(int rows, FewRows queries, const KeyRows<typename Read::Storage>& keys,
                     const KeyRows<StoredStorage>& next, FewRows result) {
    Ahead<StoredStorage> ahead{next.at, kBytesOf<kDim>};
    multiply_rows_by<kDim, kAdds, kMostRows>(rows, queries, keys.at, result, ahead);
  }

  /// As many times kRows rows as there are, then fewer for what is left.
  template <int kDim, bool kAdds, int kRows>
  void multiply_rows_by(int rows, FewRows queries, const typename Read::Storage* const* keys, FewRows result,
                        Ahead<StoredStorage>& ahead) {
    for (; rows >= kRows; rows -= kRows) {
      multiply_all_vectors<Read, kDim, kKeyTile, kRows, kAdds>(queries, keys, result, ahead);
      ahead.vectors = nullptr;
      queries.at += kRows * queries.stride;
      result.at += kRows * result.stride;
    }
    if constexpr (kRows > kLeastRows && kRows > 1)
      multiply_rows_by<kDim, kAdds, kRows / 2>(rows, queries, keys, result, ahead);
  }

  template <int kRows>
  void add_rows(int rows, WeightedSum sum, Ahead<StoredStorage>& ahead) {
    const auto& values = KeySource<Spec>::values_of(sources_[now_]);
    for (; rows >= kRows; rows -= kRows) {
      add_weighted_vectors<Stored, Spec::kValueDim, kRows>(values.at, count_, sum, ahead);
      ahead.vectors = nullptr;
      sum.weights.at += kRows * sum.weights.stride;
      sum.factors += kRows;
      sum.sums.at += kRows * sum.sums.stride;
    }
    if constexpr (kRows > kLeastRows && kRows > 1) add_rows<kRows / 2>(rows, sum, ahead);
  }

  const KeySource<Spec>* source_;
  typename KeySource<Spec>::Source sources_[2];  ///< of this tile and the next one, in turns
  int now_ = 0;
  int found_;  ///< first key of the tile whose source is known already
  int count_;
  KeyRows<float> transformed_;
  /// Transformed keys.
  alignas(64) float rows_[(Spec::kTransformsKeys ? kKeyTile * Spec::kHeadDim : 0) + 1];
};
