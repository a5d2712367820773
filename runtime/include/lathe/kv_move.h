// The specs of kv_gather and kv_scatter: moves of rows of a key-value cache between two layouts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <lathe/dtype.h>
#include <lathe/kv_move_args.h>
#include <lathe/rope.h>

namespace lathe {

/// What a view's base pointer depends on. Entries are numbered from 0, the last coordinate fastest.
enum class KvBase : std::uint8_t {
  single,       ///< nothing
  layer,        ///< table[layer]
  plane_layer,  ///< table[plane * layers + layer]
  chunk,        ///< table[block]: every block of slots is memory of its own
  chunk_layer,  ///< table[block * layers + layer]
  shared,       ///< the base of the side's first view, whatever that depends on
};

/// Which side of the bus the memory is on: decides about cache hints.
enum class KvPlace : std::uint8_t { device, host };

/// How a token finds its slot: see KvIndexArgs.
enum class KvIndexKind : std::uint8_t { identity, slots, blocks, pairs, block_table, pages };

/// What becomes of a token whose index is no slot.
enum class KvBadIndex : std::uint8_t {
  skip,       ///< it is not moved
  report,     ///< it is not moved, and KvMoveArgs::status says so
  unchecked,  ///< the caller promises that there is none
};

/// What becomes of tokens that have the same destination slot.
enum class KvDuplicates : std::uint8_t {
  last,       ///< the last in token order is moved
  report,     ///< ... and KvMoveArgs::status says so
  unchecked,  ///< the caller promises that there are none
};

enum class KvScaleKind : std::uint8_t {
  none,
  table,   ///< fp32 numbers given with the launch
  stored,  ///< beside the values: written from their largest magnitude, or read back
};

enum class KvScaleType : std::uint8_t {
  f32,
  ue8m0,             ///< one byte: the exponent of a power of two, 127 for 1; rounded up when written
  f32_power_of_two,  ///< the same power of two, as an f32
};

/// Whether a segment's elements are rotated: see KvRotation.
enum class KvRotate : std::uint8_t {
  none,
  forward,  ///< to their new position, from none
  delta,    ///< from their old position to their new one, by one angle: sin and cos without attention factor
};

/// A tensor, as the kernel addresses it: coordinates layer, plane, slot, head and byte of the content.
struct KvView {
  /// The axes from outermost to innermost, separated by blanks: L layer, P plane, B block, N slot in the
  /// block, H head, C content. Cx and x instead of C: pieces of `split` elements, and the elements of one.
  /// Axes that a base kind selects, and those of extent 1, may be left out. N without B counts all slots.
  std::string axes{};
  KvBase base = KvBase::single;
  /// Bytes between neighbours, one per axis of the string: 0 tightly packed, -1 given with each launch.
  /// Empty: all tightly packed.
  std::vector<std::int64_t> strides{};
  DType dtype = bf16;  ///< of the elements; u8 for rows of mixed ones
  std::int64_t layers = 1;
  std::int64_t planes = 1;      ///< 2 for keys and values
  std::int64_t block_size = 1;  ///< slots per block
  std::int64_t heads = 1;
  std::int64_t content = 0;   ///< elements of one head in one slot
  std::int64_t split = 0;     ///< elements per piece of the content, where the axes split it
  std::int64_t offset = 0;    ///< bytes from every base pointer to the first element
  bool short_tail = false;    ///< the last chunk is packed to the slots it has
  std::int64_t pointers = 0;  ///< entries of a table that travels with the arguments; 0: in memory
  KvPlace place = KvPlace::device;
  /// Bytes that every base pointer and every stride is a multiple of: a power of two up to 16. 0: what the
  /// strides that the spec knows allow.
  std::int64_t alignment = 0;

  friend bool operator==(const KvView&, const KvView&) = default;
};

struct KvIndex {
  KvIndexKind kind = KvIndexKind::identity;
  DType dtype = i32;           ///< of everything that the map reads: i32 or i64
  std::int64_t page_size = 0;  ///< slots per page that it numbers; 0: the block size of the side's first view

  friend bool operator==(const KvIndex&, const KvIndex&) = default;
};

/// A factor between stored and true values: true = stored * scale.
struct KvScale {
  KvScaleKind kind = KvScaleKind::none;
  // Of a table:
  std::int64_t table = 0;  ///< which of KvMoveArgs::scales
  std::int64_t first = 0;  ///< its first element
  std::string axes{};      ///< one scale for each: L, P and H in any order, tightly packed; empty: one
  bool inverted = false;   ///< true = stored / scale
  // Stored:
  std::int64_t group = 0;  ///< elements that share one; 0: all of the segment
  KvScaleType type = KvScaleType::f32;
  std::int64_t view = 0;    ///< of the same side
  std::int64_t offset = 0;  ///< bytes from the row's beginning to the first one; the others follow it
  double amax_floor = 0;    ///< the largest magnitude counts as at least this; written scales only

  friend bool operator==(const KvScale&, const KvScale&) = default;
};

/// The rotary embedding that segments are rotated by, between reading and writing, in fp32. Positions come
/// from KvMoveArgs.
struct KvRotation {
  std::int64_t dim = 0;  ///< elements that are rotated, an even number; 0: there is no rotation
  RopePairs pairs = RopePairs::half;
  RopeFrequencies frequencies{};
  DType position_dtype = i64;  ///< of old_positions and new_positions: i32 or i64

  friend bool operator==(const KvRotation&, const KvRotation&) = default;
};

/// A part of the row: read, brought to true values, written. Without conversion the bytes are copied.
struct KvSegment {
  std::int64_t src_view = 0;
  std::int64_t dst_view = 0;
  std::int64_t plane = -1;      ///< of those moved, from 0; -1: all of them
  std::int64_t src_offset = 0;  ///< bytes from the row's beginning
  std::int64_t dst_offset = 0;
  std::int64_t count = 0;            ///< elements; 0: to the end of the source's row
  std::optional<DType> src_dtype{};  ///< unset: the view's
  std::optional<DType> dst_dtype{};
  KvScale src_scale{};
  KvScale dst_scale{};
  KvRotate rotate = KvRotate::none;  ///< between the two scales
  std::int64_t rotate_offset = 0;    ///< elements before those that are rotated

  friend bool operator==(const KvSegment&, const KvSegment&) = default;
};

enum class KvDirection : std::uint8_t { gather, scatter };

/// Moves rows between two sets of views. Both ops are the same kernel; by convention the source of a gather
/// and the destination of a scatter are paged. See KvMoveArgs for the memory.
template <KvDirection direction>
struct KvMoveSpec {
  using Args = KvMoveArgs;

  std::vector<KvView> src{};  ///< 1 to 3; they share the index map
  std::vector<KvView> dst{};
  KvIndex src_index{};
  KvIndex dst_index{};
  std::vector<KvSegment> segments{};  ///< at most 8; empty: the whole row is copied
  KvRotation rotation{};
  std::int64_t planes = 0;  ///< to move; 0: all, which must then be as many on both sides
  std::int64_t heads = 0;   ///< likewise
  KvBadIndex negative = KvBadIndex::skip;
  KvBadIndex bounds = KvBadIndex::skip;
  KvDuplicates duplicates = KvDuplicates::last;

  friend bool operator==(const KvMoveSpec&, const KvMoveSpec&) = default;
};

/// From a paged cache to an object.
using KvGatherSpec = KvMoveSpec<KvDirection::gather>;
/// From an object to a paged cache.
using KvScatterSpec = KvMoveSpec<KvDirection::scatter>;

}  // namespace lathe
