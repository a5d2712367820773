// How matrices lie in shared memory for wgmma, from the layouts' drawings: by rows and permuted chunks, where
// the emulator works on addresses. Independent of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/runtime/ptx/mma_reference.h"

namespace lathe::tests::wgmma {

struct Layout {
  unsigned span = 128;          ///< bytes within which chunks of 16 are permuted; 16: none are
  bool is_mn_major = false;     ///< transposed: M or N runs along memory, not K
  bool is_depth_first = false;  ///< without permutation, K-major: chunks along K are neighbours
  unsigned shift = 0;           ///< bytes between the alignment of the pattern and its beginning
};

inline constexpr Layout kKMajor[] = {{.span = 16},
                                     {.span = 16, .is_mn_major = false, .is_depth_first = true},
                                     {.span = 32},
                                     {.span = 64},
                                     {.span = 128}};
inline constexpr Layout kMnMajor[] = {{.span = 16, .is_mn_major = true},
                                      {.span = 32, .is_mn_major = true},
                                      {.span = 64, .is_mn_major = true},
                                      {.span = 128, .is_mn_major = true}};

/// A matrix in memory, and the descriptors of its parts along K, for a memory that begins at address 0.
struct Tile {
  std::vector<std::byte> bytes;
  std::vector<std::uint64_t> descriptors;
};

struct Strides {
  unsigned start = 0;
  unsigned leading = 0;
  unsigned stride = 0;
};

inline std::uint64_t encoded(const Strides& strides, const Layout& layout) {
  const std::uint64_t mode = layout.span == 128 ? 1 : layout.span == 64 ? 2 : layout.span == 32 ? 3 : 0;
  const auto field = [](unsigned bytes) { return std::uint64_t{(bytes & 0x3ffff) >> 4}; };
  return field(strides.start + layout.shift) | field(strides.leading) << 16 | field(strides.stride) << 32 |
         std::uint64_t{layout.shift >> 7 & 7} << 49 | mode << 62;
}

/// Where chunk `chunk` of a row of `span` bytes is kept.
inline unsigned permuted(unsigned chunk, unsigned row, unsigned span) {
  if (span == 128) return chunk ^ (row & 7);
  if (span == 64) return chunk ^ (row >> 1 & 3);
  if (span == 32) return chunk ^ (row >> 2 & 1);
  return chunk;
}

/// Of M or N by K elements.
struct Extent {
  unsigned mn = 0;
  unsigned depth = 0;
  unsigned element = 2;  ///< bytes
};

inline unsigned rounded_up(unsigned value, unsigned unit) {
  return (value + unit - 1) / unit * unit;
}

/// The byte where an element begins.
inline unsigned place_of(const Layout& layout, const Extent& extent, unsigned mn, unsigned k) {
  const unsigned per_chunk = 16 / extent.element;
  const unsigned along = layout.is_mn_major ? mn : k;
  const unsigned row = layout.is_mn_major ? k : mn;
  const unsigned rows = layout.is_mn_major ? extent.depth : extent.mn;
  const unsigned within = along % per_chunk * extent.element;
  if (layout.span != 16) {
    const unsigned per_span = layout.span / extent.element;
    const unsigned chunk = permuted(along % per_span / per_chunk, row, layout.span);
    return along / per_span * rows * layout.span + row * layout.span + chunk * 16 + within;
  }
  // Blocks of 8 rows of 16 bytes.
  const unsigned chunk = along / per_chunk;
  const unsigned row_blocks = rows / 8;
  const unsigned chunks = (layout.is_mn_major ? extent.mn : extent.depth) / per_chunk;
  const bool chunks_are_neighbours = layout.is_mn_major || layout.is_depth_first;
  const unsigned block = chunks_are_neighbours ? row / 8 * chunks + chunk : chunk * row_blocks + row / 8;
  return block * 128 + row % 8 * 16 + within;
}

/// What the descriptor says of the part from k on.
inline Strides strides_of(const Layout& layout, const Extent& extent, unsigned k) {
  if (layout.span == 16) {
    const unsigned mn_block = place_of(layout, extent, 8, 0);
    const unsigned k_block = place_of(layout, extent, 0, layout.is_mn_major ? 8 : 16 / extent.element);
    return {.start = place_of(layout, extent, 0, k), .leading = k_block, .stride = mn_block};
  }
  if (layout.is_mn_major)
    return {.start = k * layout.span, .leading = extent.depth * layout.span, .stride = 8 * layout.span};
  const unsigned per_span = layout.span / extent.element;
  return {.start = k / per_span * extent.mn * layout.span + k % per_span * extent.element,
          .leading = 0x3fff0,  // is not looked at
          .stride = 8 * layout.span};
}

/// `matrix`: a row for each of M or N, a column for each k. Bytes that hold no element are random.
inline Tile lay_out(const mma::Matrix& matrix, unsigned element_bits, const Layout& layout,
                    std::mt19937_64& random) {
  const Extent extent{matrix.rows, matrix.columns, element_bits / 8};
  // Whole spans are there even if they are not filled.
  const unsigned per_span = layout.span / extent.element;
  const unsigned mn_used = layout.is_mn_major ? rounded_up(extent.mn, per_span) : extent.mn;
  const unsigned depth_used = layout.is_mn_major ? extent.depth : rounded_up(extent.depth, per_span);
  Tile tile;
  tile.bytes.resize(rounded_up(mn_used * depth_used * extent.element + layout.shift, 1024));
  for (std::byte& each : tile.bytes) each = static_cast<std::byte>(random());
  for (unsigned mn = 0; mn < extent.mn; ++mn) {
    for (unsigned k = 0; k < extent.depth; ++k) {
      const std::uint64_t bits = matrix[{mn, k}];
      std::memcpy(&tile.bytes[layout.shift + place_of(layout, extent, mn, k)], &bits, extent.element);
    }
  }
  for (unsigned k = 0; k < extent.depth; k += 32 / extent.element)
    tile.descriptors.push_back(encoded(strides_of(layout, extent, k), layout));
  return tile;
}

}  // namespace lathe::tests::wgmma
