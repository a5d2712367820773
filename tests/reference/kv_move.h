// kv_gather and kv_scatter as a loop over logical coordinates, in host memory.
#pragma once

#include <vector>

#include <lathe/kv_move.h>

namespace lathe::reference {

/// Either spec.
struct KvMove {
  template <KvDirection direction>
  explicit KvMove(const KvMoveSpec<direction>& spec)
      : src(spec.src),
        dst(spec.dst),
        src_index(spec.src_index),
        dst_index(spec.dst_index),
        segments(spec.segments),
        rotation(spec.rotation),
        planes(spec.planes),
        heads(spec.heads) {}

  std::vector<KvView> src, dst;
  KvIndex src_index, dst_index;
  std::vector<KvSegment> segments;
  KvRotation rotation;
  std::int64_t planes, heads;
};

/// Moves as a launch with these arguments would, one byte or element after the other; all pointers are
/// host memory. Of `args`, steps and layers may be 0 where a launch lets them be; blocks must be given.
/// Returns the bits that a launch would add to the status if all policies were report.
int kv_move(const KvMove& move, const KvMoveArgs& args);

}  // namespace lathe::reference
