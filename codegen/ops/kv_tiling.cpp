#include "codegen/ops/kv_tiling.h"

#include <algorithm>

#include "codegen/ops/kv_check.h"
#include "codegen/ops/kv_layout.h"

namespace lathe::codegen {

namespace {

/// Bytes of a block on a GPU: two rounds of all its threads' loads.
constexpr std::int64_t kTileBytes = 32 * 1024;
/// A GPU's block keeps the addresses of that many rows.
constexpr std::int64_t kMaxTileTokens = 128;
/// On a CPU a tile begins with rows that are not on their way from memory yet: few begin.
constexpr std::int64_t kCpuTileBytes = 128 * 1024;

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

std::int64_t bytes_per_token(const KvMove& move) {
  std::int64_t bytes = 0;
  for (const KvSegment& segment : move.segments) {
    const std::size_t element = std::max(size_of(*segment.src_dtype), size_of(*segment.dst_dtype));
    bytes += segment.count * static_cast<std::int64_t>(element) * move.heads;
  }
  return bytes;
}

}  // namespace

std::int64_t tokens_per_tile(const KvMove& move, Backend backend) {
  const std::int64_t bytes = bytes_per_token(move);
  if (backend == Backend::cpu) return std::max<std::int64_t>(1, kCpuTileBytes / bytes);
  return std::clamp<std::int64_t>(kTileBytes / bytes, 1, kMaxTileTokens);
}

std::int64_t parts_per_token(const KvMove& move) {
  const std::int64_t bytes = bytes_per_token(move);
  return bytes >= 2 * kTileBytes ? (bytes + kTileBytes - 1) / kTileBytes : 1;
}

std::int64_t heads_per_row(const KvMove& move) {
  const bool merges = std::all_of(move.segments.begin(), move.segments.end(),
                                  [&](const KvSegment& segment) { return spans_heads(move, segment); });
  return merges ? move.heads : 1;
}

}  // namespace lathe::codegen
