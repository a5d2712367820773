#include "codegen/ops/kv_launch.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>

#include <fmt/format.h>

#include "codegen/ops/kv_index_launch.h"
#include "codegen/ops/kv_layout.h"
#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_move_fields.h"
#include "codegen/ops/kv_written.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

/// One side of the move. `Pointer` is that of its views.
template <class Pointer>
struct Side {
  const KvMove& move;
  const char* name;
  const std::vector<KvView>& views;
  KvViewArgs<Pointer>* args;
  Pointer* pointers;
  const KvIndex& index;
  const KvIndexArgs& index_args;
  Index tokens;

  Error bad(std::size_t view, std::string message, std::string hint = {}) const {
    return bad_kv_argument(move, fmt::format("{}[{}]: {}", name, view, message), std::move(hint));
  }
};

Side<const void*> source(const KvMove& move, KvMoveArgs& args) {
  return {move, "src", move.src, args.src, args.src_pointers, move.src_index, args.src_index, args.tokens};
}
Side<void*> destination(const KvMove& move, KvMoveArgs& args) {
  return {move, "dst", move.dst, args.dst, args.dst_pointers, move.dst_index, args.dst_index, args.tokens};
}

/// Blocks that exist: given, or as many as identity needs. 0: not known, and not needed to check slots.
template <class Pointer>
Result<Index> blocks_of(const Side<Pointer>& side, std::size_t view) {
  const Index given = side.args[view].blocks;
  const Index block_size = side.views[view].block_size;
  if (given < 0 || given > kAnySlots / block_size) return side.bad(view, fmt::format("blocks is {}", given));
  if (given > 0) return given;
  if (view > 0) {
    const Index slots = side.args[0].blocks * side.views[0].block_size;
    return (slots + block_size - 1) / block_size;
  }
  if (side.index.kind == KvIndexKind::identity) {
    return (side.index_args.start + side.tokens + block_size - 1) / block_size;
  }
  if (side.move.bounds == KvBadIndex::unchecked && side.move.duplicates == KvDuplicates::unchecked)
    return Index{0};
  return side.bad(view, "blocks is 0, and slots are to be checked",
                  "say how many blocks there are, or promise with bounds=unchecked that all slots exist");
}

/// Slots that all views have.
template <class Pointer>
Result<Index> count_slots(const Side<Pointer>& side) {
  Index slots = kAnySlots;
  for (std::size_t i = 0; i < side.views.size(); ++i) {
    const KvView& view = side.views[i];
    KvViewArgs<Pointer>& args = side.args[i];
    LATHE_TRY(args.blocks, blocks_of(side, i));
    if (args.blocks == 0 && args.last_slots != 0) {
      return side.bad(i, fmt::format("last_slots is {}, but blocks is 0", args.last_slots),
                      "say how many blocks there are: the last one is short");
    }
    if (args.blocks == 0) continue;
    if (args.last_slots < 0 || args.last_slots > view.block_size ||
        (args.last_slots > 0 && !view.short_tail)) {
      return side.bad(i, fmt::format("last_slots is {}, allowed are {}", args.last_slots,
                                     view.short_tail ? fmt::format("0 to {}", view.block_size)
                                                     : "0: the spec's view has no short_tail"));
    }
    const Index missing = args.last_slots > 0 ? view.block_size - args.last_slots : 0;
    slots = std::min(slots, args.blocks * view.block_size - missing);
  }
  if (side.index.kind == KvIndexKind::identity && side.index_args.start + side.tokens > slots) {
    return bad_kv_argument(side.move, fmt::format("{}: {} tokens from slot {} on, but there are {} slots",
                                                  side.name, side.tokens, side.index_args.start, slots));
  }
  return slots;
}

/// What the launch says of axes along which there are neighbours: frameworks put anything for others.
template <class Pointer>
KvSteps given_steps(const KvView& view, const KvViewArgs<Pointer>& args) {
  const auto unless_single = [](Index extent, Index step) { return extent == 1 ? 0 : step; };
  return {.layer = unless_single(view.layers, args.layer_step),
          .plane = unless_single(view.planes, args.plane_step),
          .block = unless_single(args.blocks, args.block_step),
          .slot = unless_single(view.block_size, args.slot_step),
          .head = unless_single(view.heads, args.head_step),
          .piece = unless_single(view.split > 0 ? view.content / view.split : view.content, args.piece_step)};
}

/// Neighbours of an axis, and how many there are.
struct Axis {
  Index step, extent;
};

/// Bases at equal distances of a view that has no table of them.
template <class Pointer>
Axis bases_of(const KvView& view, const KvViewArgs<Pointer>& args, KvBase base) {
  if (view.base == KvBase::shared || args.table != nullptr || args.base == nullptr) return {0, 1};
  return {args.table_step, (selects_layer(base) ? view.layers : 1) * (selects_plane(base) ? view.planes : 1) *
                               (selects_block(base) ? args.blocks : 1)};
}

/// No two rows of a destination share a byte: each axis' neighbours are beyond all that lies within.
bool rows_are_apart(const KvView& view, const KvSteps& steps, Index blocks, Axis bases) {
  const Index pieces = steps.piece == 0 ? 1 : row_bytes(view) / steps.piece_bytes;
  std::array<Axis, 7> axes{{bases,
                            {steps.layer, view.layers},
                            {steps.plane, view.planes},
                            {steps.block, blocks},
                            {steps.slot, view.block_size},
                            {steps.head, view.heads},
                            {steps.piece, pieces}}};
  std::sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.step < b.step; });
  Index bytes = steps.piece_bytes;
  for (const Axis& axis : axes) {
    if (axis.extent <= 1 || axis.step == 0) continue;  // 0: the base depends on it
    if (axis.step < bytes) return false;
    bytes += axis.step * (axis.extent - 1);
  }
  return true;
}

/// Where the launch says how much memory there is behind base: all entries fit.
template <class Pointer>
Result<void> check_bytes(const Side<Pointer>& side, std::size_t number, Index entry_bytes, KvBase base) {
  const KvView& view = side.views[number];
  const KvViewArgs<Pointer>& args = side.args[number];
  if (args.bytes == 0 || view.base == KvBase::shared) return {};
  const Index layers = selects_layer(base) ? view.layers : 1;
  const Index planes = selects_plane(base) ? view.planes : 1;
  Index needed = (selects_block(base) ? args.blocks : 1) * layers * planes - 1;
  const bool overflows = __builtin_mul_overflow(needed, args.table_step, &needed) ||
                         __builtin_add_overflow(needed, entry_bytes, &needed);
  if (!overflows && needed <= args.bytes) return {};
  return side.bad(number, fmt::format("bytes is {}, but its rows take {}", args.bytes, needed));
}

/// That the distance between bases follows from what the launch says.
template <class Pointer>
Result<void> check_pitch(const Side<Pointer>& side, std::size_t number, const KvSteps& given,
                         const KvSteps& steps) {
  const KvView& view = side.views[number];
  const KvViewArgs<Pointer>& args = side.args[number];
  const KvBase base = base_of(side.views, number);
  const bool has_bases = bases_of(view, args, base).extent > 1;
  if (args.blocks != 0 || !has_bases) return {};
  if (steps_of(view, base, {.steps = given, .blocks = 2}).pitch == steps.pitch) return {};
  return side.bad(number, "table_step is 0, and depends on blocks, which is 0",
                  "say how far apart the bases are, or how many blocks there are");
}

template <class Pointer>
Result<void> resolve_steps(const Side<Pointer>& side, std::size_t number, bool is_written) {
  const KvView& view = side.views[number];
  KvViewArgs<Pointer>& args = side.args[number];
  const KvSteps given = given_steps(view, args);
  const KvBase base = base_of(side.views, number);
  const KvSteps steps = steps_of(view, base, {.steps = given, .blocks = std::max<Index>(args.blocks, 1)});
  struct Step {
    const char* name;
    Index given, resolved;
    Index KvViewArgs<Pointer>::* member;
  };
  using A = KvViewArgs<Pointer>;
  const Step all[] = {{"layer_step", given.layer, steps.layer, &A::layer_step},
                      {"plane_step", given.plane, steps.plane, &A::plane_step},
                      {"block_step", given.block, steps.block, &A::block_step},
                      {"slot_step", given.slot, steps.slot, &A::slot_step},
                      {"head_step", given.head, steps.head, &A::head_step},
                      {"piece_step", given.piece, steps.piece, &A::piece_step}};
  for (const Step& step : all) {
    if (step.resolved < 0) {
      return side.bad(number, fmt::format("{} is {}: rows lie farther apart than 2^63 bytes, or backwards",
                                          step.name, step.given));
    }
    if (step.given != 0 && step.given != step.resolved) {
      return side.bad(
          number, fmt::format("{} is {} bytes, but the spec says {}", step.name, step.given, step.resolved),
          "give the axis the stride -1 in the spec where launches decide");
    }
    if (step.resolved % view.alignment != 0) {
      return side.bad(number,
                      fmt::format("{} is {} bytes, not a multiple of the alignment of {}", step.name,
                                  step.resolved, view.alignment),
                      "give the view the alignment that holds for its memory and all its strides");
    }
    args.*step.member = step.resolved;
  }
  if (steps.bytes < 0)
    return side.bad(number, fmt::format("{} blocks have more than 2^63 bytes", args.blocks));
  if (args.blocks == 0 && (steps_of(view, base, {.steps = given, .blocks = 2}).bytes != steps.bytes)) {
    const KvSteps other = steps_of(view, base, {.steps = given, .blocks = 2});
    if (other.layer != steps.layer || other.plane != steps.plane || other.slot != steps.slot ||
        other.head != steps.head || other.piece != steps.piece) {
      return side.bad(number, "blocks is 0, but strides depend on it", "say how many blocks there are");
    }
  }
  if (args.table_step == 0) {
    LATHE_CHECK(check_pitch(side, number, given, steps));
    args.table_step = steps.pitch;
  }
  if (is_written && !rows_are_apart(view, steps, args.blocks, bases_of(view, args, base))) {
    return side.bad(number, "its steps make rows overlap", "a step of 0 means tightly packed");
  }
  return check_bytes(side, number, view.offset + steps.bytes, base);
}

template <class Pointer>
Result<void> check_pointer(const Side<Pointer>& side, std::size_t number, const char* what,
                           const void* pointer) {
  const Index alignment = side.views[number].alignment;
  if (pointer == nullptr) return side.bad(number, fmt::format("{} is null", what));
  if (reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uint64_t>(alignment) == 0) return {};
  return side.bad(number, fmt::format("{} is {}, not a multiple of {} bytes", what, pointer, alignment),
                  "give the view the alignment that holds for its memory and all its strides");
}

template <class Pointer>
Result<void> check_pointers(const Side<Pointer>& side, std::size_t number) {
  const KvView& view = side.views[number];
  const KvViewArgs<Pointer>& args = side.args[number];
  if (view.base == KvBase::shared) return {};
  if (view.base == KvBase::single) return check_pointer(side, number, "base", args.base);
  if (view.pointers > 0) {
    const Index layers = selects_layer(view.base) ? view.layers : 1;
    const Index entries =
        (selects_plane(view.base) ? view.planes : 1) * layers * (selects_block(view.base) ? args.blocks : 1);
    if (entries > view.pointers || (selects_block(view.base) && args.blocks == 0)) {
      return side.bad(number, fmt::format("{} blocks take {} pointers, but pointers of the spec is {}",
                                          args.blocks, entries, view.pointers));
    }
    // Equally distant ones may be given as such.
    if (args.base != nullptr) {
      using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
      for (Index i = 0; i < entries; ++i)
        side.pointers[i] = static_cast<Byte*>(args.base) + i * args.table_step;
    }
    for (Index i = 0; i < entries; ++i)
      LATHE_CHECK(check_pointer(side, number, "a pointer", side.pointers[i]));
    return {};
  }
  if (args.table != nullptr) {
    if (reinterpret_cast<std::uintptr_t>(args.table) % sizeof(void*) == 0) return {};
    return side.bad(number, "table is not a multiple of a pointer's bytes");
  }
  if (args.base == nullptr) {
    return side.bad(
        number, fmt::format("table and base are null, a base of {} needs one of them", enum_name(view.base)),
        "table is an array of pointers; base and table_step say where equally distant ones are");
  }
  const bool has_bases = bases_of(view, args, view.base).extent > 1;
  if (has_bases && (args.table_step < 0 || args.table_step % view.alignment != 0)) {
    return side.bad(
        number, fmt::format("table_step is {} bytes, not a multiple of {}", args.table_step, view.alignment));
  }
  return check_pointer(side, number, "base", args.base);
}

template <class Pointer>
Result<Index> resolve_side(const Side<Pointer>& side, bool is_written) {
  LATHE_CHECK(check_kv_index({side.move, side.name, side.index, side.index_args, side.tokens}));
  LATHE_TRY(const Index slots, count_slots(side));
  for (std::size_t i = 0; i < side.views.size(); ++i) {
    LATHE_CHECK(resolve_steps(side, i, is_written));
    LATHE_CHECK(check_pointers(side, i));
  }
  return slots;
}

}  // namespace

Result<void> resolve_kv_sides(const KvMove& move, KvMoveArgs& args) {
  LATHE_TRY(args.src_slots, resolve_side(source(move, args), false));
  LATHE_TRY(args.dst_slots, resolve_side(destination(move, args), true));
  return check_kv_written(move, args);
}

Result<Index> kv_destination_slots(const KvMove& move, const KvMoveArgs& given) {
  KvMoveArgs args = given;
  return count_slots(destination(move, args));
}

}  // namespace lathe::codegen
