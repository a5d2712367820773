#include "codegen/ops/kv_tiling.h"

#include <algorithm>

#include "codegen/ops/kv_check.h"
#include "codegen/ops/kv_layout.h"

namespace lathe::codegen {

namespace {

/// Bytes per block: two rounds of all its threads' loads on a GPU, enough to be worth a thread's waking on a
/// CPU.
constexpr std::int64_t kTileBytes = 32 * 1024;
/// Addresses of that many rows are kept at a time.
constexpr std::int64_t kMaxTileTokens = 128;

bool heads_lie_together(const std::vector<KvView>& side, std::size_t number) {
  const KvView& view = side[number];
  const KvSteps steps = steps_of(view, base_of(side, number));
  return steps.piece == 0 && steps.head == row_bytes(view);
}

/// Whether a segment copies all of a head, and the next head follows on both sides.
bool spans_heads(const KvMove& move, const KvSegment& segment) {
  const auto src = static_cast<std::size_t>(segment.src_view);
  const auto dst = static_cast<std::size_t>(segment.dst_view);
  return is_copy(segment) && segment.count == row_bytes(move.src[src]) &&
         segment.count == row_bytes(move.dst[dst]) && heads_lie_together(move.src, src) &&
         heads_lie_together(move.dst, dst);
}

std::int64_t bytes_of(const KvSegment& segment) {
  return segment.count *
         static_cast<std::int64_t>(std::max(size_of(*segment.src_dtype), size_of(*segment.dst_dtype)));
}

}  // namespace

KvTiling kv_tiling_of(const KvMove& move) {
  KvTiling tiling{.heads = move.heads};
  std::int64_t bytes = 0;
  bool merges = move.heads > 1;
  for (const KvSegment& segment : move.segments) {
    bytes += bytes_of(segment) * move.heads;
    merges = merges && spans_heads(move, segment);
  }
  if (merges) {
    tiling.heads = 1;
    tiling.merged = move.heads;
  }
  tiling.tile_tokens = std::clamp<std::int64_t>(kTileBytes / bytes, 1, kMaxTileTokens);
  if (bytes >= 2 * kTileBytes) tiling.parts = (bytes + kTileBytes - 1) / kTileBytes;
  return tiling;
}

}  // namespace lathe::codegen
