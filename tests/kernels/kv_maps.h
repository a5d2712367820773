// Index maps of ragged sequences, as engines make them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <lathe/kv_positions.h>

#include "tests/kernels/kv_case.h"
#include "tests/kernels/kv_layouts.h"
#include "tests/support/catch.h"

namespace lathe::tests {

inline Index pages_of(Index length, Index page_size) {
  return (length + page_size - 1) / page_size;
}

/// Pages in no order for sequences of these lengths, whose last `appended` tokens are written. Rows for
/// `tokens` of them, as a captured graph has room for; 0: as many as there are.
inline KvMap append_map(const std::vector<std::int64_t>& lengths, const std::vector<std::int64_t>& appended,
                        Index page_size, Index blocks, Index tokens = 0) {
  std::vector<std::int64_t> indptr{0};
  KvMap map{.offsets = {0}};
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    indptr.push_back(indptr.back() + appended[i]);
    map.offsets.push_back(map.offsets.back() + pages_of(lengths[i], page_size));
  }
  map.index = distinct(map.offsets.back(), blocks);
  map.rows.resize(static_cast<std::size_t>(std::max<Index>(tokens, indptr.back())));
  map.positions.resize(map.rows.size());
  std::vector<std::int64_t> rows(map.rows.size());
  std::vector<std::int64_t> positions(map.rows.size());
  REQUIRE(kv_append_positions<std::int64_t>(indptr, lengths, rows, positions));
  map.rows.assign(rows.begin(), rows.end());
  map.positions.assign(positions.begin(), positions.end());
  return map;
}

/// A block table for sequences of which `lengths` tokens are read, from position `starts` on.
inline KvMap table_map(const std::vector<Index>& lengths, const std::vector<Index>& starts, Index page_size,
                       Index blocks) {
  KvMap map{.offsets = {0}};
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const Index start = starts.empty() ? 0 : starts[i];
    map.table_width = std::max(map.table_width, pages_of(start + lengths[i], page_size));
    map.offsets.push_back(map.offsets.back() + lengths[i]);
  }
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    for (const Index page : distinct(map.table_width, blocks, static_cast<std::uint32_t>(i + 3))) {
      map.index.push_back(page);
    }
  }
  map.positions = starts;
  return map;
}

}  // namespace lathe::tests
