// Logic of predicates, a warp's lanes at once.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

enum class Logic : std::uint8_t { conjunction, disjunction, exclusive };

/// .and, .or, .xor, taken; nullopt if there is none.
std::optional<Logic> take_logic(Decoding& d);

/// A predicate, and in which lanes it was ever written.
struct KnownMask {
  LaneMask value = 0;
  LaneMask defined = kAllLanes;

  bool operator==(const KnownMask&) const = default;
};

inline KnownMask operator~(KnownMask mask) {
  return {~mask.value, mask.defined};
}

/// Defined too where one side decides alone: `i < n && a[i] > 0`, a[i] being read only where i < n, becomes
/// an `and.pred` of both.
KnownMask combine(Logic logic, KnownMask a, KnownMask b);

inline KnownMask read_mask(Warp& warp, Slot slot) {
  return {warp.mask(slot), warp.defined(slot)};
}

/// In the active lanes.
inline void write_mask(Warp& warp, Slot slot, KnownMask mask) {
  warp.set_mask(slot, mask.value);
  warp.set_defined(slot, mask.defined);
}

/// and.pred, or.pred and xor.pred; the type is taken already.
Execute decode_predicate_logic(Decoding& d, Logic logic);
Execute decode_predicate_not(Decoding& d);

}  // namespace lathe::runtime::ptx
