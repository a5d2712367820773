#include "runtime/ptx/tensor_box.h"

#include <algorithm>

namespace lathe::runtime::ptx {

namespace {

constexpr std::size_t kChunk = 16;

/// Appends a row's part of `bytes` that begins at `at`, not yet swizzled.
void append(const TensorMapSpec& map, std::size_t at, std::size_t bytes, std::size_t from,
            std::vector<TransferPiece>& pieces) {
  while (bytes != 0) {
    const std::size_t rest_of_chunk = map.swizzle == Swizzle::none ? bytes : kChunk - at % kChunk;
    const std::size_t count = std::min(bytes, rest_of_chunk);
    pieces.push_back({.from = from, .to = swizzled(map.swizzle, at), .bytes = count});
    at += count;
    bytes -= count;
    if (from != TransferPiece::kZeros) from += count;
  }
}

/// Goes through the rows of a box.
class Rows {
 public:
  Rows(const TensorMapSpec& map, const BoxCorner& corner) : map_(&map), corner_(&corner) {}

  /// Whether the row lies in the tensor, but for dimension 0.
  bool is_inside() const {
    for (unsigned i = 1; i < map_->rank; ++i) {
      const std::int64_t index = std::int64_t{(*corner_)[i]} + at_[i];
      if (index < 0 || static_cast<std::uint64_t>(index) >= map_->extents[i]) return false;
    }
    return true;
  }
  /// Offset from the tensor of the row's element 0. REQUIRES: is_inside().
  std::size_t offset() const {
    std::size_t sum = 0;
    for (unsigned i = 1; i < map_->rank; ++i)
      sum += static_cast<std::uint64_t>(std::int64_t{(*corner_)[i]} + at_[i]) * map_->strides[i];
    return sum;
  }
  /// False: there is none.
  bool next() {
    for (unsigned i = 1; i < map_->rank; ++i) {
      if (++at_[i] < map_->box[i]) return true;
      at_[i] = 0;
    }
    return false;
  }

 private:
  const TensorMapSpec* map_;
  const BoxCorner* corner_;
  std::array<std::uint32_t, TensorMapSpec::kMaxRank> at_{};
};

}  // namespace

std::size_t box_bytes(const TensorMapSpec& map) {
  std::size_t bytes = size_of(map.dtype);
  for (unsigned i = 0; i < map.rank; ++i) bytes *= map.box[i];
  return bytes;
}

std::vector<TransferPiece> pieces_of_load(const TensorMapSpec& map, const BoxCorner& corner) {
  const auto element = static_cast<std::int64_t>(size_of(map.dtype));
  const std::int64_t width = map.box[0];
  // Elements of a row that the tensor has.
  const std::int64_t first = std::clamp<std::int64_t>(-std::int64_t{corner[0]}, 0, width);
  const std::int64_t last =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(map.extents[0]) - corner[0], first, width);
  const auto bytes = [&](std::int64_t elements) { return static_cast<std::size_t>(elements * element); };
  std::vector<TransferPiece> pieces;
  std::size_t at = 0;
  Rows rows(map, corner);
  do {
    if (rows.is_inside() && first != last) {
      append(map, at, bytes(first), TransferPiece::kZeros, pieces);
      append(map, at + bytes(first), bytes(last - first), rows.offset() + bytes(corner[0] + first), pieces);
      append(map, at + bytes(last), bytes(width - last), TransferPiece::kZeros, pieces);
    } else {
      append(map, at, bytes(width), TransferPiece::kZeros, pieces);
    }
    at += bytes(width);
  } while (rows.next());
  return pieces;
}

std::vector<TransferPiece> pieces_of_store(const TensorMapSpec& map, const BoxCorner& corner) {
  std::vector<TransferPiece> pieces = pieces_of_load(map, corner);
  std::erase_if(pieces, [](const TransferPiece& piece) { return piece.from == TransferPiece::kZeros; });
  for (TransferPiece& piece : pieces) std::swap(piece.from, piece.to);
  return pieces;
}

}  // namespace lathe::runtime::ptx
