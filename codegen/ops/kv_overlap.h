// Whether parts of a key-value cache that several views describe share bytes.
#pragma once

#include <array>
#include <cstddef>

#include <lathe/args_base.h>

namespace lathe::codegen {

/// Runs of bytes at regular distances: what one segment writes, of all layers, blocks, slots and heads.
struct KvRuns {
  struct Axis {
    Index step = 0, count = 0;
  };

  Index first = 0;  ///< where the first run begins
  Index bytes = 0;  ///< of a run
  std::array<Axis, 6> axes{};
  std::size_t axis_count = 0;

  /// Axes of one element, or without distance, change nothing.
  void add(Index step, Index count);
};

/// Whether they share a byte. Where steps do not nest, so that many runs would have to be compared, only some
/// are. REQUIRES: extents that an Index holds.
bool share_bytes(const KvRuns& a, const KvRuns& b);

}  // namespace lathe::codegen
