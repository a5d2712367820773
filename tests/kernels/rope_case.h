// One launch of rope, compared with the reference.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lathe/runtime.h>

namespace lathe::tests {

struct RopeCase {
  RopeSpec spec;
  Index tokens = 5;
  /// Of positions by id, [sections, tokens]; empty: pseudo-random ones below 300.
  std::vector<std::int64_t> positions{};
  Index offset = 0;  ///< of positions by offset
  /// Of ragged positions and page tables: tokens and first position of each sequence. Tokens behind the last
  /// have none. Empty: two sequences and an empty one between them.
  std::vector<Index> lengths{};
  std::vector<Index> offsets{};
  Index padding = 0;           ///< elements between rows; each tensor has some more than the one before
  bool in_place = false;       ///< results are their inputs
  bool packed_qkv = false;     ///< q, k and v are slices of the rows of one tensor
  bool hnd = false;            ///< pages are [heads, entries, dim]
  bool one_table = false;      ///< cosines and sines side by side in one table
  bool heads_outside = false;  ///< q and k are [heads, tokens, dim] in memory
  int offset_elements = 0;  ///< of every tensor's beginning from an address that is a multiple of 256 bytes
  Index table_rows = 300;
  float q_scale = 1.0f;
  float k_scale = 1.0f;
  float v_scale = 1.0f;
  float epsilon = 1e-5f;
  std::uint32_t seed = 1;
};

/// Compiles, launches and compares: every element that is to be written with the reference, every other byte
/// of every tensor, and the bands around the buffers, with what was there before. Empty: all as it should be;
/// else the first difference. Reports the kernel (see kernel_report.h).
std::string run_rope(Runtime& runtime, const RopeCase& test);

}  // namespace lathe::tests
