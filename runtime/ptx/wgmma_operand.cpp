#include "runtime/ptx/wgmma_operand.h"

#include <algorithm>
#include <cstring>

#include "runtime/ptx/async_proxy.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/memory_access.h"

namespace lathe::runtime::ptx {

namespace {

constexpr unsigned kChunkBytes = 16;
constexpr unsigned kChunksAlongDepth = kSliceBytes / kChunkBytes;
// Only matrices of 16 bits are transposed.
constexpr unsigned kElementBytes = 2;
constexpr unsigned kChunkElements = kChunkBytes / kElementBytes;
constexpr unsigned kLinesOfTransposed = kSliceBytes / kElementBytes;
constexpr unsigned kMaxChunks = 256 / kChunkElements;

struct Range {
  unsigned first = 0;
  unsigned count = 0;
};

Range lines_of(const MatrixPart& part) {
  return part.is_transposed ? Range{0, kLinesOfTransposed} : Range{part.first, part.count};
}

Range chunks_of(const MatrixPart& part) {
  return part.is_transposed ? Range{part.first / kChunkElements, part.count / kChunkElements}
                            : Range{0, kChunksAlongDepth};
}

/// visit(address, bytes) for each stretch of memory that the part consists of, until it returns false.
template <class Visit>
bool visit_stretches(const MatrixPart& part, Visit visit) {
  const Range lines = lines_of(part);
  const Range chunks = chunks_of(part);
  for (unsigned line = lines.first; line < lines.first + lines.count; ++line) {
    std::array<std::uint32_t, kMaxChunks> addresses;
    for (unsigned i = 0; i < chunks.count; ++i) addresses[i] = part.layout.chunk(line, chunks.first + i);
    std::sort(addresses.begin(), addresses.begin() + chunks.count);
    for (unsigned i = 0; i < chunks.count;) {
      const std::uint32_t begin = addresses[i];
      std::uint32_t end = begin;
      for (; i < chunks.count && addresses[i] <= end; ++i) end = addresses[i] + kChunkBytes;
      if (!visit(begin, end - begin)) return false;
    }
  }
  return true;
}

}  // namespace

bool check_read(Warp& warp, const MatrixPart& part) {
  return visit_stretches(part, [&](std::uint32_t address, std::uint32_t bytes) {
    const Access access{
        .kind = AccessKind::read, .bytes = bytes, .alignment = kChunkBytes, .space = Space::shared};
    Place place;
    return locate(warp, 0, address, access, place) && check_defined(warp, 0, place, bytes);
  });
}

bool check_proxy(Warp& warp, const MatrixPart& part) {
  if (!warp.block().checks_races()) return true;
  const std::size_t size = warp.block().shared().size();
  return visit_stretches(part, [&](std::uint32_t address, std::uint32_t bytes) {
    const std::uint32_t offset = address - kSharedBase;
    if (offset >= size || size - offset < bytes) return true;  // reported when it is read
    return check_async_read(warp, offset, bytes);
  });
}

void read(Warp& warp, const MatrixPart& part, std::span<DepthSlice> slices) {
  const Range lines = lines_of(part);
  const Range chunks = chunks_of(part);
  const std::byte* shared = warp.block().shared().data();
  for (unsigned line = 0; line < lines.count; ++line) {
    for (unsigned i = 0; i < chunks.count; ++i) {
      const std::byte* chunk =
          shared + (part.layout.chunk(lines.first + line, chunks.first + i) - kSharedBase);
      if (!part.is_transposed) {
        std::memcpy(slices[line].data() + i * kChunkBytes, chunk, kChunkBytes);
        continue;
      }
      for (unsigned e = 0; e < kChunkElements; ++e)
        std::memcpy(slices[i * kChunkElements + e].data() + line * kElementBytes, chunk + e * kElementBytes,
                    kElementBytes);
    }
  }
}

}  // namespace lathe::runtime::ptx
