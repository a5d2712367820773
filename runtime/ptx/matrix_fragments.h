// Which element of a matrix is where in the registers of a warp. Lane l is the (l % 4)th of group l / 4.
#pragma once

namespace lathe::runtime::ptx {

struct ElementPlace {
  unsigned row = 0;
  unsigned column = 0;
};

constexpr unsigned group_of(unsigned lane) {
  return lane / 4;
}
constexpr unsigned rank_in_group(unsigned lane) {
  return lane % 4;
}

/// The first of the `count` elements, side by side in a row, in one register of mma's A of 8 or 16 rows. Of
/// 16 rows the registers take turns with the upper and the lower half.
constexpr ElementPlace place_in_a(unsigned rows, unsigned count, unsigned reg, unsigned lane) {
  const unsigned halves = rows / 8;
  return {group_of(lane) + reg % halves * 8, (reg / halves * 4 + rank_in_group(lane)) * count};
}

/// The first of the `count` elements, one below the other in a column, in one register of mma's B.
constexpr ElementPlace place_in_b(unsigned count, unsigned reg, unsigned lane) {
  return {(reg * 4 + rank_in_group(lane)) * count, group_of(lane)};
}

/// The i-th element that a lane has of mma's C or D, however many are in a register.
constexpr ElementPlace place_in_accumulator(unsigned i, unsigned lane) {
  return {group_of(lane) + i / 2 * 8, rank_in_group(lane) * 2 + i % 2};
}

/// Of the two elements that a lane has of an 8 x 8 matrix of 16 bits: ldmatrix, stmatrix and movmatrix.
constexpr ElementPlace place_in_tile(unsigned i, unsigned lane) {
  return {group_of(lane), rank_in_group(lane) * 2 + i};
}

}  // namespace lathe::runtime::ptx
