// The rows of a tile of attention: which query and head each is, and which keys it may see.
#pragma once

#include <lathe/args.h>

#include "common/attention_options.h"
#include "common/attention_place.h"

/// A row is a query token and one of the query heads that share the key-value head; heads vary fastest.
/// Numbers of queries and keys are those within the request.
template <int kTileRows>
struct TileRows {
  int count;
  int query[kTileRows];
  int head[kTileRows];   ///< of all query heads
  int first[kTileRows];  ///< key that is seen, as far as causality and the window go
  int end[kTileRows];    ///< one more than the last
};

inline int clamped(lathe::Index value, int low, int high) {
  return value < low ? low : value > high ? high : static_cast<int>(value);
}

/// What hooks are told of a row.
inline AttentionPlace place_of_row(const lathe::AttentionRequest& request, int number, int query, int head,
                                   int kv_head) {
  return {number, query, -1, head, kv_head, request.query_length, request.kv_length};
}

/// Spec gives kGroup, kMask, kHasWindow and kTileRows.
template <class Spec>
inline void describe_rows(const lathe::AttentionArgs& args, const lathe::AttentionRequest& request,
                          const lathe::AttentionWork& work, int kv_head, TileRows<Spec::kTileRows>& rows) {
  using lathe::Index;
  const Index left = Index{request.query_length} * Spec::kGroup - work.row_begin;
  rows.count = clamped(left, 0, Spec::kTileRows);
  const Index ahead = Index{request.kv_length} - request.query_length;
  for (int i = 0; i < rows.count; ++i) {
    const int row = work.row_begin + i;
    rows.query[i] = row / Spec::kGroup;
    rows.head[i] = kv_head * Spec::kGroup + row % Spec::kGroup;
    // Bottom-right: the last query stands at the last key.
    const Index place = rows.query[i] + ahead;
    rows.end[i] = Spec::kMask == Mask::causal ? clamped(place + 1, work.kv_begin, work.kv_end) : work.kv_end;
    rows.first[i] =
        Spec::kHasWindow ? clamped(place - args.window_left, work.kv_begin, work.kv_end) : work.kv_begin;
  }
}
