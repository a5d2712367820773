// One launch of kv_gather or kv_scatter, compared with the reference.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <lathe/runtime.h>

namespace lathe::tests {

/// What an index map reads; converted to the spec's index dtype.
struct KvMap {
  std::vector<Index> index{};
  std::vector<Index> offsets{};
  std::vector<Index> rows{};
  std::vector<Index> positions{};
  Index table_width = 0;
  Index start = 0;
  Index entries = 0;
};

/// One view's memory.
struct KvMemory {
  Index blocks = 0;  ///< 0: the launch must work it out; then as many as `tokens` need
  Index last_slots = 0;
  bool distant = false;  ///< entries of a table at equal distances from base, instead of anywhere
  int misaligned = 0;    ///< bytes from a multiple of 256 to the base
  Index layer_step = 0, plane_step = 0, block_step = 0, slot_step = 0, head_step = 0, piece_step = 0;
  std::vector<std::byte> image{};  ///< what is in it; empty: drawn
};

struct KvCase {
  KernelSpec spec;
  Index tokens = 0;
  Index first_token = 0;
  std::array<KvMemory, kMaxKvViews> src{};
  std::array<KvMemory, kMaxKvViews> dst{};
  KvMap src_map{};
  KvMap dst_map{};
  Index layers = 0;
  Index src_first_layer = 0, dst_first_layer = 0;
  Index src_first_plane = 0, dst_first_plane = 0;
  Index src_first_head = 0, dst_first_head = 0;
  Index max_blocks = 0;
  std::vector<float> scales{};         ///< all tables
  std::vector<Index> old_positions{};  ///< converted to the spec's dtype
  std::vector<Index> new_positions{};
  Index position_shift = 0;
  /// Sines and cosines are approximations: elements may be neighbours of the expected ones in their dtype.
  bool is_rotated = false;
  bool has_nans = false;  ///< one NaN is as good as another; bytes of u8 count as e4m3
  std::uint32_t seed = 1;
};

/// Compiles, launches and compares every byte of the destination with the reference, those between rows and
/// in the bands around the memory with what was there before, and the status. Empty: all as it should be;
/// else the first difference. `result`, if given, receives the first destination's image.
std::string run_kv(Runtime& runtime, const KvCase& test, std::vector<std::byte>* result = nullptr);

}  // namespace lathe::tests
