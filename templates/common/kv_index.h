// How a token finds its slot.
#pragma once

#include "common/kv_facts.h"
#include "common/token_places.h"

/// Not slots.
constexpr lathe::Index kNegativeSlot = -1;
constexpr lathe::Index kNoSuchSlot = -2;

inline lathe::Index index_at(const IndexFacts& facts, const void* from, lathe::Index i) {
  return facts.is_wide ? static_cast<const long long*>(from)[i] : static_cast<const int*>(from)[i];
}

/// The slot at a position within pages that `index` numbers from `first` on.
inline lathe::Index slot_on_page(const IndexFacts& facts, const void* index, lathe::Index first,
                                 lathe::Index position, lathe::Index slots) {
  const auto unsigned_position = static_cast<unsigned long long>(position);
  const auto page_size = static_cast<unsigned long long>(facts.page_size);
  const auto entry = static_cast<lathe::Index>(unsigned_position / page_size);
  const lathe::Index page = index_at(
      facts, index, facts.kind == KvIndexKind::pairs ? 2 * (first + entry) + facts.column : first + entry);
  if (page < 0) return kNegativeSlot;
  // Before it is multiplied, which a page of 64 bits may not bear.
  if (page > slots / facts.page_size) return kNoSuchSlot;
  return page * facts.page_size + static_cast<lathe::Index>(unsigned_position % page_size);
}

inline lathe::Index slot_in_block_table(const IndexFacts& facts, const lathe::KvIndexArgs& args,
                                        lathe::Index token, lathe::Index slots) {
  const lathe::Index sequence =
      facts.is_wide ? sequence_of(static_cast<const long long*>(args.offsets), args.sequences, token)
                    : sequence_of(static_cast<const int*>(args.offsets), args.sequences, token);
  if (sequence < 0) return kNoSuchSlot;
  const lathe::Index begin = index_at(facts, args.offsets, sequence);
  const lathe::Index start = args.positions != nullptr ? index_at(facts, args.positions, sequence) : 0;
  const lathe::Index position = start + token - begin;
  if (position < 0) return kNegativeSlot;
  if (position / facts.page_size >= args.table_width) return kNoSuchSlot;
  return slot_on_page(facts, args.index, sequence * args.table_width, position, slots);
}

inline lathe::Index slot_in_pages(const IndexFacts& facts, const lathe::KvIndexArgs& args, lathe::Index token,
                                  lathe::Index slots) {
  const lathe::Index sequence = index_at(facts, args.rows, token);
  const lathe::Index position = index_at(facts, args.positions, token);
  if (sequence < 0 || position < 0) return kNegativeSlot;
  if (sequence >= args.sequences) return kNoSuchSlot;
  const lathe::Index first = index_at(facts, args.offsets, sequence);
  const lathe::Index end = index_at(facts, args.offsets, sequence + 1);
  const lathe::Index entry = position / facts.page_size;
  if (entry >= end - first) return kNoSuchSlot;
  // The offsets may promise more than is listed.
  if (first < 0 || (args.entries != 0 && first + entry >= args.entries)) return kNoSuchSlot;
  return slot_on_page(facts, args.index, first, position, slots);
}

/// The token's slot, or one of the two above. Reads no entry of `index` beyond args.entries, if that is
/// given.
inline lathe::Index slot_of(const IndexFacts& facts, const lathe::KvIndexArgs& args, lathe::Index token,
                            lathe::Index slots) {
  lathe::Index slot = 0;
  switch (facts.kind) {
    case KvIndexKind::identity:
      slot = args.start + token;
      break;
    case KvIndexKind::slots:
      slot = index_at(facts, args.index, token);
      if (slot < 0) slot = kNegativeSlot;
      break;
    case KvIndexKind::blocks:
    case KvIndexKind::pairs:
      slot = slot_on_page(facts, args.index, 0, args.start + token, slots);
      break;
    case KvIndexKind::block_table:
      slot = slot_in_block_table(facts, args, token, slots);
      break;
    case KvIndexKind::pages:
      slot = slot_in_pages(facts, args, token, slots);
      break;
  }
  if (slot >= slots) return kNoSuchSlot;
  return slot;
}
