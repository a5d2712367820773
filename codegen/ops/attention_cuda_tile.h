// How attention's blocks on NVIDIA GPUs are shaped: rows, keys and warps, and the shared memory that they
// take.
#pragma once

#include <cstdint>

#include <lathe/attention.h>

#include "codegen/cuda_arch.h"

namespace lathe::codegen {

/// REQUIRES of everything here: a normalized spec.
struct AttentionTile {
  int row_fragments = 1;  ///< 16 rows each, per warp
  int row_warps = 4;
  int key_warps = 1;     ///< that share out a tile's keys, or
  int column_warps = 1;  ///< its columns of values
  int keys = 64;
  int stages = 2;

  int rows() const { return 16 * row_fragments * row_warps; }
  int threads() const { return 32 * row_warps * key_warps * column_warps; }

  friend bool operator==(const AttentionTile&, const AttentionTile&) = default;
};

/// Whether keys are copied as they are stored and converted in shared memory.
bool stages_keys(const AttentionSpec& spec);

/// Exactly what the template lays out, which checks it.
std::int64_t shared_bytes(const AttentionSpec& spec, const AttentionTile& tile);

/// The best that fits.
AttentionTile attention_tile(const AttentionSpec& spec, const CudaArch& arch);

}  // namespace lathe::codegen
