// The slots of a token on both sides. Included after the parameter block of a template, whose names it uses.
#pragma once

#include "common/kv_index.h"

/// A token's slots; those that are none are negative.
struct Slots {
  lathe::Index src;
  lathe::Index dst;

  bool are_valid() const { return src >= 0 && dst >= 0; }
};

inline Slots slots_of(const lathe::KvMoveArgs& args, lathe::Index token) {
  return {slot_of(kSrcIndex, args.src_index, token, args.src_slots),
          slot_of(kDstIndex, args.dst_index, token, args.dst_slots)};
}

/// What is to be reported of a token's slots: bits of KvMoveArgs::status.
inline int status_of(const Slots& slots) {
  int status = 0;
  if (kNegative == KvBadIndex::report && (slots.src == kNegativeSlot || slots.dst == kNegativeSlot)) {
    status |= lathe::kKvNegativeIndex;
  }
  if (kBounds == KvBadIndex::report && (slots.src == kNoSuchSlot || slots.dst == kNoSuchSlot)) {
    status |= lathe::kKvIndexTooLarge;
  }
  return status;
}
