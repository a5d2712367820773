// What rope looks up for a token: its positions, and its place in a cache.
#pragma once

#include <lathe/args.h>

#include "common/rope_options.h"
#include "common/token_places.h"

/// kCount positions of a token; `exists` is false of a token that no sequence has.
template <int kCount>
struct TokenPositions {
  bool exists;
  lathe::Index of[kCount];
};

template <RopePositions kPositions, int kCount, class Position>
inline TokenPositions<kCount> positions_of(const lathe::RopeArgs& args, lathe::Index token) {
  TokenPositions<kCount> result{true, {}};
  if constexpr (kPositions == RopePositions::ids) {
    const auto* positions = static_cast<const Position*>(args.positions);
    for (int i = 0; i < kCount; ++i) {
      result.of[i] = static_cast<lathe::Index>(positions[i * args.positions_section_stride + token]);
    }
  } else if constexpr (kPositions == RopePositions::offset) {
    result.of[0] = args.offset + token;
  } else {
    const auto* indptr = static_cast<const Position*>(args.indptr);
    const lathe::Index sequence = sequence_of(indptr, args.batch, token);
    result.exists = sequence >= 0;
    if (result.exists) {
      result.of[0] = static_cast<lathe::Index>(static_cast<const Position*>(args.offsets)[sequence]) + token -
                     static_cast<lathe::Index>(indptr[sequence]);
    }
  }
  return result;
}

template <RopeAppend kAppend, int kPageSize, class Slot>
inline CachePlace cache_place_of(const lathe::RopeArgs& args, lathe::Index token) {
  if constexpr (kAppend == RopeAppend::slots) {
    return place_of_slot<kPageSize>(static_cast<lathe::Index>(static_cast<const Slot*>(args.slots)[token]),
                                    args.pages);
  } else if constexpr (kAppend == RopeAppend::pages) {
    return place_in_pages<kPageSize>(
        static_cast<const Slot*>(args.page_indptr), static_cast<const Slot*>(args.page_indices), args.batch,
        args.pages, static_cast<lathe::Index>(static_cast<const Slot*>(args.batch_indices)[token]),
        static_cast<lathe::Index>(static_cast<const Slot*>(args.cache_positions)[token]));
  }
  return {-1, 0};
}

/// Which of a token's positions pair i takes. The sections are in pairs.
template <RopeSections kOrder, int kCount>
inline int section_of(const int (&sections)[kCount], int pair) {
  if constexpr (kCount == 1) return 0;
  if constexpr (kOrder == RopeSections::interleaved) {
    const int section = pair % kCount;
    return pair < kCount * sections[section] ? section : 0;
  } else {
    int section = 0;
    int end = sections[0];
    while (section < kCount - 1 && pair >= end) end += sections[++section];
    return section;
  }
}
