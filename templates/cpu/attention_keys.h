// Where the keys and values of attention lie.
#pragma once

#include <lathe/args.h>

#include "common/attention_options.h"

/// Keys that are handled together.
constexpr int kKeyTile = 64;
/// Bytes of the longest row: 576 floats.
constexpr int kMostRowBytes = 2304;
/// What stands for keys beyond the last: nothing that is not a key's is ever read.
alignas(64) constexpr unsigned char kZeroRow[kMostRowBytes] = {};

/// A tensor of keys or values, seen from one key-value head.
struct KeyTensor {
  const void* base;
  lathe::Index outer_stride;
  lathe::Index token_stride;
  lathe::Index head_offset;
};

/// The tile of keys that begins at key `first` of a request.
struct KeyTile {
  int first;
  int count;
};

/// One address per key of the tile, then those of rows of zeros.
template <class Storage>
struct KeyRows {
  const Storage* at[kKeyTile];
};

/// Writes down where each key of the tile begins. Spec gives kStorage, kPageSize and PageIndex.
template <class Spec, class Storage>
inline void find_rows(const lathe::AttentionArgs& args, const lathe::AttentionRequest& request,
                      const KeyTensor& tensor, KeyTile tile, KeyRows<Storage>& rows) {
  using lathe::Index;
  const auto* base = static_cast<const Storage*>(tensor.base) + tensor.head_offset;
  if constexpr (Spec::kStorage == KvStorage::contiguous) base += request.kv_begin * tensor.outer_stride;
  if constexpr (Spec::kStorage == KvStorage::ragged) base += request.kv_begin * tensor.token_stride;
  if constexpr (Spec::kStorage == KvStorage::paged) {
    const auto* pages = static_cast<const typename Spec::PageIndex*>(args.page_indices) + request.kv_begin;
    int page = tile.first / Spec::kPageSize;
    int within = tile.first % Spec::kPageSize;
    for (int i = 0; i < tile.count; ++page, within = 0) {
      const Storage* row =
          base + static_cast<Index>(pages[page]) * tensor.outer_stride + within * tensor.token_stride;
#pragma clang loop vectorize(disable) unroll(disable)
      for (; within < Spec::kPageSize && i < tile.count; ++within, ++i, row += tensor.token_stride)
        rows.at[i] = row;
    }
  } else {
    for (int i = 0; i < tile.count; ++i) rows.at[i] = base + (tile.first + i) * tensor.token_stride;
  }
  for (int i = tile.count; i < kKeyTile; ++i) rows.at[i] = reinterpret_cast<const Storage*>(kZeroRow);
}
