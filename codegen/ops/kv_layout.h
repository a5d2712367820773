// The axes of a view: read from its string, and turned into steps in bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <lathe/error.h>
#include <lathe/kv_move.h>

namespace lathe::codegen {

enum class KvAxis : std::uint8_t { layer, plane, block, slot, head, content, piece, within };

/// "layer", "plane" ...: as in the names of KvViewArgs' steps, where there is one.
std::string_view name_of(KvAxis axis);

/// The axes of a view from outermost to innermost.
struct KvAxes {
  std::array<KvAxis, 8> order{};
  std::size_t count = 0;

  std::span<const KvAxis> all() const { return std::span(order).first(count); }
  bool has(KvAxis axis) const;
};

/// Takes "B N H C" and "BNHC". Errors: a message that says which character is wrong.
Result<KvAxes> parse_kv_axes(std::string_view text);
/// The string that normalized specs have: one blank between axes.
std::string text_of(const KvAxes& axes);

/// The axis that a step is named after: "block" for slots without blocks, "piece" for content that is
/// strided.
KvAxis axis_of_step(const KvAxes& axes, std::size_t number, KvBase base);

inline constexpr Index kKvPerLaunch = -1;  ///< a step that the spec does not fix

/// Bytes between neighbours along each axis. Axes that the view does not have are 0.
struct KvSteps {
  Index layer = 0;
  Index plane = 0;
  Index block = 0;  ///< of slots, where the view has N and no B
  Index slot = 0;
  Index head = 0;
  Index piece = 0;        ///< between pieces of the content
  Index piece_bytes = 0;  ///< of the content that lie together: all of it where it is not split
  Index bytes = 0;        ///< of the whole view, tightly enclosed; of one table entry with a table
  Index pitch = 0;        ///< to where another such view would begin: bytes, and what pads the outermost axis

  Index* of(KvAxis axis);
};

/// What a launch gives: a step per axis, 0 where it gives none, and the number of blocks.
struct KvGivenSteps {
  KvSteps steps{};
  Index blocks = 0;
};

/// The steps that the spec fixes; the others are kKvPerLaunch. `base` as of base_of(). REQUIRES: axes that
/// parse.
KvSteps steps_of(const KvView& view, KvBase base);

/// All steps of a launch; kKvPerLaunch where they overflow. REQUIRES: axes that parse.
KvSteps steps_of(const KvView& view, KvBase base, const KvGivenSteps& given);

/// Bytes of one head's content in one slot.
inline Index row_bytes(const KvView& view) {
  return view.content * static_cast<Index>(size_of(view.dtype));
}

/// Whether the base kind picks a pointer by this coordinate. `base` is never shared.
constexpr bool selects_layer(KvBase base) {
  return base == KvBase::layer || base == KvBase::plane_layer || base == KvBase::chunk_layer;
}
constexpr bool selects_plane(KvBase base) {
  return base == KvBase::plane_layer;
}
constexpr bool selects_block(KvBase base) {
  return base == KvBase::chunk || base == KvBase::chunk_layer;
}

/// The base kind of a side's view, shared ones resolved.
inline KvBase base_of(std::span<const KvView> side, std::size_t view) {
  return side[view].base == KvBase::shared ? side.front().base : side[view].base;
}

}  // namespace lathe::codegen
