// The box that a tensor copy moves: which bytes of the tensor lie where in shared memory. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/ptx/async_transfer.h"
#include "runtime/tensor_map.h"

namespace lathe::runtime::ptx {

/// Where a byte is put that would be at `address` without the swizzle: its 16-byte chunk changes places with
/// others of its row of the span.
constexpr std::size_t swizzled(Swizzle swizzle, std::size_t address) {
  if (swizzle == Swizzle::none) return address;
  const std::size_t rows = span_of(swizzle) / 16 - 1;
  return address ^ ((address >> 7 & rows) << 4);
}

/// What the address of the box in shared memory must be a multiple of: with a swizzle its pattern begins
/// there.
constexpr std::size_t box_alignment(Swizzle swizzle) {
  return swizzle == Swizzle::none ? 128 : 8 * span_of(swizzle);
}

/// Of the whole box, with what lies outside the tensor.
std::size_t box_bytes(const TensorMapSpec& map);

using BoxCorner = std::array<std::int32_t, TensorMapSpec::kMaxRank>;

/// The pieces of a load: `from` counts from the tensor's first byte, `to` from the box's. Zeros are pieces
/// too.
std::vector<TransferPiece> pieces_of_load(const TensorMapSpec& map, const BoxCorner& corner);
/// Of a store, the other way round, and without what lies outside the tensor.
std::vector<TransferPiece> pieces_of_store(const TensorMapSpec& map, const BoxCorner& corner);

}  // namespace lathe::runtime::ptx
