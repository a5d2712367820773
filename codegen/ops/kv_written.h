// What is written through several views of one memory.
#pragma once

#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

/// No two segments write the same bytes through views that share a base, as far as their steps tell.
/// REQUIRES: resolved steps. Errors: invalid_argument.
Result<void> check_kv_written(const KvMove& move, const KvMoveArgs& args);

}  // namespace lathe::codegen
