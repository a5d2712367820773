// Where tokens are: in which sequence, at which place of a paged cache.
#pragma once

#include <lathe/args.h>

/// The sequence s with indptr[s] <= token < indptr[s + 1]; -1: none. Empty sequences have no token.
template <class T>
inline lathe::Index sequence_of(const T* indptr, lathe::Index batch, lathe::Index token) {
  // indptr[low] <= token < indptr[high], with what lies beyond both ends taken as smallest and largest.
  lathe::Index low = -1;
  lathe::Index high = batch + 1;
  while (high - low > 1) {
    const lathe::Index middle = low + (high - low) / 2;
    if (static_cast<lathe::Index>(indptr[middle]) <= token) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low < batch ? low : -1;
}

/// An entry of a page; a negative page: nowhere.
struct CachePlace {
  lathe::Index page;
  lathe::Index entry;
};

template <int kPageSize>
inline CachePlace place_of_slot(lathe::Index slot, lathe::Index pages) {
  const lathe::Index page = slot / kPageSize;
  if (slot < 0 || page >= pages) return {-1, 0};
  return {page, slot - page * kPageSize};
}

/// Where number `position` of sequence `sequence` is.
template <int kPageSize, class T>
inline CachePlace place_in_pages(const T* page_indptr, const T* page_indices, lathe::Index batch,
                                 lathe::Index pages, lathe::Index sequence, lathe::Index position) {
  if (sequence < 0 || sequence >= batch || position < 0) return {-1, 0};
  const lathe::Index number = position / kPageSize;
  const auto first = static_cast<lathe::Index>(page_indptr[sequence]);
  // Not a sum: any position may be given.
  if (number >= static_cast<lathe::Index>(page_indptr[sequence + 1]) - first) return {-1, 0};
  const auto page = static_cast<lathe::Index>(page_indices[first + number]);
  if (page >= pages) return {-1, 0};
  return {page, position - number * kPageSize};
}
