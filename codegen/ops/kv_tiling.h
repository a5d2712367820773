// How a move is cut into blocks of work, on every kind of target.
#pragma once

#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

struct KvTiling {
  std::int64_t heads = 1;        ///< rows per token: those that lie together on both sides are one
  std::int64_t merged = 1;       ///< heads per row
  std::int64_t tile_tokens = 1;  ///< per block
  std::int64_t parts = 1;        ///< blocks per token, where its row is long
};

/// REQUIRES: a normalized spec.
KvTiling kv_tiling_of(const KvMove& move);

/// Tokens per block of the kernels that settle which of two tokens has a destination.
inline constexpr std::int64_t kKvClaimTokens = 256;

}  // namespace lathe::codegen
