// What a launch's index maps are checked for.
#pragma once

#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

inline constexpr Index kAnySlots = Index{1} << 62;  ///< where the spec promises that all exist

/// The map of one side.
struct KvIndexSide {
  const KvMove& move;
  const char* name;  ///< "src"
  const KvIndex& index;
  const KvIndexArgs& args;
  Index tokens;
};

/// REQUIRES: counts in their ranges. Errors: invalid_argument.
Result<void> check_kv_index(const KvIndexSide& side);

}  // namespace lathe::codegen
