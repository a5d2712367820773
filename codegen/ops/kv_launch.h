// The memory of a launch of kv_gather or kv_scatter: its views and index maps.
#pragma once

#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

/// Checks views and index maps and fills in what may be left out: blocks, steps, slots. REQUIRES: checked
/// counts and ranges. Errors: invalid_argument.
Result<void> resolve_kv_sides(const KvMove& move, KvMoveArgs& args);

/// How many slots the destination has. Errors: invalid_argument, where the arguments do not say.
Result<Index> kv_destination_slots(const KvMove& move, const KvMoveArgs& args);

}  // namespace lathe::codegen
