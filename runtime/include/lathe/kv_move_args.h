// Launch arguments of kv_gather and kv_scatter. Compiled for the host and, as part of the kernel, for the
// device: no includes but our own, no standard library, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

inline constexpr int kMaxKvViews = 3;      ///< per side
inline constexpr int kMaxKvPointers = 64;  ///< in one table that travels with the arguments
inline constexpr int kMaxKvScales = 4;     ///< tables of scales

/// Where one view of the spec lies. Steps count bytes between neighbours along an axis, if there are any; 0
/// means tightly packed, and those that the spec fixes must be 0 or equal to it.
template <class Pointer>
struct KvViewArgs {
  Pointer base = nullptr;  ///< the memory; with a table's base kind: the first of `table_step` bytes apart
  /// One pointer per entry of the view's base kind, in memory that the kernel can read; instead of base.
  const Pointer* table = nullptr;
  Index table_step = 0;  ///< bytes between entries, where base stands for a table; 0: tightly packed
  Index layer_step = 0;
  Index plane_step = 0;
  Index block_step = 0;  ///< between slots, where the axes have N and no B
  Index slot_step = 0;   ///< between neighbours within a block
  Index head_step = 0;
  Index piece_step = 0;  ///< between neighbouring pieces of the content, where the axes split it
  Index blocks = 0;      ///< that exist; slots where the axes have N and no B. 0: as many as identity needs
  Index bytes = 0;       ///< of memory behind base (of all entries), to be checked; 0: not checked
  Index last_slots = 0;  ///< slots of the last chunk, with short_tail; 0: a whole block
};

/// What the index map of one side reads, all in memory that the kernel can read, of the spec's index dtype.
/// Tokens are counted from 0; `position` is a token's number within its sequence.
///
/// What each kind reads:
/// - identity: nothing. The slot is start + token.
/// - slots: index [tokens], the slots themselves.
/// - blocks: index [pages], a page for page_size tokens: number (start + token) / page_size.
/// - pairs: index [pages, 2], the same with a page of the source and one of the destination.
/// - block_table: index [sequences, table_width], offsets [sequences + 1], positions [sequences] or null.
///   Sequence s has the tokens offsets[s] to offsets[s + 1] - 1, from positions[s], or 0, on.
/// - pages: index [entries], offsets [sequences + 1], rows [tokens], positions [tokens]. Token t belongs to
///   sequence s = rows[t], whose pages are entries offsets[s] to offsets[s + 1] - 1, and is at positions[t].
///
/// A negative entry, or row, is what the spec's `negative` policy is about.
struct KvIndexArgs {
  const void* index = nullptr;
  const void* offsets = nullptr;
  const void* rows = nullptr;
  const void* positions = nullptr;
  Index table_width = 0;  ///< entries per row of the block table
  Index sequences = 0;
  Index entries = 0;  ///< of index, to be checked; 0: not checked. Slots need `tokens` of them
  Index start = 0;    ///< added to the token: identity, blocks and pairs
};

/// Bits of `KvMoveArgs::status`.
enum : int {
  kKvNegativeIndex = 1,  ///< an index was negative and the policy is report
  kKvIndexTooLarge = 2,  ///< a slot, page or sequence does not exist and the policy is report
  kKvDuplicateSlot = 4,  ///< two tokens have the same destination and duplicates is report
};

/// For every layer, plane, token and head: reads the row of the source, runs the spec's segments on it and
/// writes the row of the destination. Bytes that no segment names stay as they were. Source and destination
/// must not overlap, save that rows which are not moved may lie between; nor may views of the destination.
struct KvMoveArgs {
  KvViewArgs<const void*> src[kMaxKvViews]{};  ///< one per view of the spec
  KvViewArgs<void*> dst[kMaxKvViews]{};
  /// The table of the view whose spec has `pointers`, at most one per side. Filled in where the view's base
  /// is given.
  const void* src_pointers[kMaxKvPointers]{};
  void* dst_pointers[kMaxKvPointers]{};
  KvIndexArgs src_index{};
  KvIndexArgs dst_index{};
  const float* scales[kMaxKvScales]{};  ///< the tables that scales of kind `table` name
  /// Receives the bits above, added to what is there, if a policy is report. The caller sets it to 0.
  int* status = nullptr;
  void* workspace = nullptr;  ///< see Kernel::workspace_bytes; only where duplicates is not unchecked
  Index workspace_bytes = 0;
  Index tokens = 0;       ///< may be 0: nothing is launched
  Index first_token = 0;  ///< tokens before this one are not moved
  /// [tokens], for segments that are rotated. By new_positions[token] - old_positions[token] +
  /// position_shift, where null counts as 0; rotated forward, by the new position and the shift.
  const void* old_positions = nullptr;
  const void* new_positions = nullptr;
  Index position_shift = 0;
  Index layers = 0;  ///< to move; 0: all, which must then be as many on both sides
  Index src_first_layer = 0;
  Index dst_first_layer = 0;
  Index src_first_plane = 0;
  Index dst_first_plane = 0;
  Index src_first_head = 0;
  Index dst_first_head = 0;
  /// Blocks of threads that work on it at most, so that a move leaves multiprocessors to others. 0: as many
  /// as there is work for.
  Index max_blocks = 0;
  Index src_slots = 0;  ///< how many there are; filled in by the launch
  Index dst_slots = 0;
};

}  // namespace lathe
