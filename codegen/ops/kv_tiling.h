// How a move is cut into blocks of work, on every kind of target.
#pragma once

#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

/// Tokens per block. REQUIRES: a normalized spec.
std::int64_t tokens_per_tile(const KvMove& move, Backend backend);

/// Blocks per token, where its row is long. REQUIRES: a normalized spec.
std::int64_t parts_per_token(const KvMove& move);

/// How many heads are one row: all where they lie together on both sides, else 1. REQUIRES: a normalized
/// spec.
std::int64_t heads_per_row(const KvMove& move);

}  // namespace lathe::codegen
