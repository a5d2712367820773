// The arguments of kv_gather and kv_scatter by name, for tools.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/ops/kv_argument_names.h"
#include "codegen/ops/kv_layout.h"
#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

namespace {

/// A side's names, and where its members are in KvMoveArgs.
struct SideNames : KvSideNames {
  std::size_t offset;  ///< of the side's first view
  std::size_t index_offset;
};

const SideNames kSrc{kKvSrcNames, offsetof(KvMoveArgs, src), offsetof(KvMoveArgs, src_index)};
const SideNames kDst{kKvDstNames, offsetof(KvMoveArgs, dst), offsetof(KvMoveArgs, dst_index)};

using ViewArgs = KvViewArgs<const void*>;

Argument number(std::string_view name, std::size_t offset, std::string_view doc) {
  return {name, ArgumentKind::scalar, i64, offset, {}, doc, false};
}

/// One tensor holds all entries of a table, equally distant; where strides are not tight, bytes.
std::vector<Extent> shape_of(const KvView& view, std::string_view blocks, std::string_view bytes) {
  const bool is_tight =
      std::all_of(view.strides.begin(), view.strides.end(), [](std::int64_t s) { return s == 0; });
  if (!is_tight || view.offset != 0) return {{0, bytes}};
  std::vector<Extent> shape;
  if (selects_block(view.base)) shape.push_back({0, blocks});
  if (selects_plane(view.base)) shape.push_back({view.planes});
  if (selects_layer(view.base)) shape.push_back({view.layers});
  const auto axes = parse_kv_axes(view.axes);
  const bool has_blocks = axes->has(KvAxis::block) || selects_block(view.base);
  for (const KvAxis axis : axes->all()) {
    switch (axis) {
      case KvAxis::layer:
        shape.push_back({view.layers});
        break;
      case KvAxis::plane:
        shape.push_back({view.planes});
        break;
      case KvAxis::block:
        shape.push_back({0, blocks});
        break;
      case KvAxis::slot:
        shape.push_back(has_blocks ? Extent{view.block_size} : Extent{0, blocks});
        break;
      case KvAxis::head:
        shape.push_back({view.heads});
        break;
      case KvAxis::content:
        shape.push_back({view.content});
        break;
      case KvAxis::piece:
        shape.push_back({view.content / view.split});
        break;
      case KvAxis::within:
        shape.push_back({view.split});
        break;
    }
  }
  return shape;
}

/// The steps that a launch decides about. Where a view's memory is bytes, entries of its base may be apart.
void append_steps(const KvView& view, KvBase base, bool is_bytes,
                  const std::array<std::string_view, kKvSteps>& names, std::size_t at,
                  std::vector<Argument>& arguments) {
  constexpr std::string_view kDoc = "bytes between neighbours; 0: tightly packed";
  if (is_bytes && view.base != KvBase::single) {
    arguments.push_back(number(names[0], at + offsetof(ViewArgs, table_step), kDoc));
  }
  constexpr std::pair<KvAxis, std::size_t> kSteps[] = {
      {KvAxis::layer, offsetof(ViewArgs, layer_step)}, {KvAxis::plane, offsetof(ViewArgs, plane_step)},
      {KvAxis::block, offsetof(ViewArgs, block_step)}, {KvAxis::slot, offsetof(ViewArgs, slot_step)},
      {KvAxis::head, offsetof(ViewArgs, head_step)},   {KvAxis::piece, offsetof(ViewArgs, piece_step)}};
  const auto axes = parse_kv_axes(view.axes);
  for (std::size_t i = 0; i < axes->count; ++i) {
    if (view.strides[i] != kKvPerLaunch) continue;
    const KvAxis axis = axis_of_step(*axes, i, base);
    for (std::size_t step = 0; step < std::size(kSteps); ++step) {
      if (kSteps[step].first == axis)
        arguments.push_back(number(names[step + 1], at + kSteps[step].second, kDoc));
    }
  }
}

void append_views(const std::vector<KvView>& views, const KvIndex& index, const SideNames& side,
                  ArgumentKind kind, std::vector<Argument>& arguments) {
  for (std::size_t i = 0; i < views.size(); ++i) {
    const KvView& view = views[i];
    // A list that is moved from its beginning has as many slots as there are tokens.
    const bool is_list = view.axes.find('B') == std::string::npos && !selects_block(view.base);
    const std::string_view blocks =
        is_list && index.kind == KvIndexKind::identity ? std::string_view("tokens") : side.blocks[i];
    const std::size_t at = side.offset + i * sizeof(ViewArgs);
    bool is_bytes = false;
    if (view.base != KvBase::shared) {
      const auto shape = shape_of(view, blocks, side.bytes[i]);
      is_bytes = shape.size() == 1 && shape[0].symbol == side.bytes[i];
      arguments.push_back(
          {side.views[i], kind, is_bytes ? u8 : view.dtype, at + offsetof(ViewArgs, base), shape,
           kind == ArgumentKind::input ? "the rows that are read" : "the rows that are written"});
      if (is_bytes) arguments.push_back(number(side.bytes[i], at + offsetof(ViewArgs, bytes), "of memory"));
    }
    arguments.push_back(
        number(side.blocks[i], at + offsetof(ViewArgs, blocks), "blocks; slots without a B axis"));
    append_steps(view, base_of(views, i), is_bytes, side.steps[i], at, arguments);
    if (view.short_tail) {
      arguments.push_back(
          number(side.last_slots, at + offsetof(ViewArgs, last_slots), "slots of the last chunk"));
    }
  }
}

void append_index(const KvIndex& index, const SideNames& side, std::vector<Argument>& arguments) {
  using enum KvIndexKind;
  using A = KvIndexArgs;
  const std::size_t at = side.index_offset;
  const auto tensor = [&](std::string_view name, std::size_t offset, std::vector<Extent> shape,
                          std::string_view doc) {
    arguments.push_back({name, ArgumentKind::input, index.dtype, at + offset, std::move(shape), doc});
  };
  const Extent entries{0, side.entries};
  if (index.kind == slots) tensor(side.index, offsetof(A, index), {{0, "tokens"}}, "the slot of each token");
  if (index.kind == blocks) tensor(side.index, offsetof(A, index), {entries}, "page numbers");
  if (index.kind == pairs)
    tensor(side.index, offsetof(A, index), {entries, {2}}, "page numbers: source, destination");
  if (index.kind == block_table) {
    tensor(side.index, offsetof(A, index), {{0, side.sequences}, {0, side.table_width}}, "page numbers");
  }
  if (index.kind == pages) {
    tensor(side.index, offsetof(A, index), {entries}, "page numbers of all sequences");
    tensor(side.rows, offsetof(A, rows), {{0, "tokens"}}, "the sequence of each token");
    tensor(side.positions, offsetof(A, positions), {{0, "tokens"}}, "its position there");
  }
  if (index.kind == block_table || index.kind == pages) {
    tensor(side.offsets, offsetof(A, offsets), {{1, side.sequences}}, "where sequences begin, and the end");
    arguments.push_back(number(side.sequences, at + offsetof(A, sequences), "sequences"));
  }
  if (index.kind == block_table) {
    arguments.push_back(number(side.table_width, at + offsetof(A, table_width), "entries per sequence"));
  }
  if (index.kind == blocks || index.kind == pairs || index.kind == pages) {
    arguments.push_back(number(side.entries, at + offsetof(A, entries), "page numbers"));
  }
  if (index.kind == identity || index.kind == blocks || index.kind == pairs) {
    arguments.push_back(number(side.start, at + offsetof(A, start), "added to the token"));
  }
}

/// Elements that some scale reads of a table; 0: none does.
Index table_elements(const KvMove& move, Index table) {
  Index most = 0;
  const auto extend = [&](const KvScale& scale, const KvView& view) {
    if (scale.kind != KvScaleKind::table || scale.table != table) return;
    Index count = 1;
    for (const char axis : scale.axes) {
      if (axis == 'L') count *= view.layers;
      if (axis == 'P') count *= view.planes;
      if (axis == 'H') count *= view.heads;
    }
    most = std::max<Index>(most, scale.first + count);
  };
  for (const KvSegment& segment : move.segments) {
    extend(segment.src_scale, move.src[0]);
    extend(segment.dst_scale, move.dst[0]);
  }
  return most;
}

void append_ranges(const KvMove& move, std::vector<Argument>& arguments) {
  using A = KvMoveArgs;
  struct Range {
    std::string_view name;
    std::size_t offset;
    bool is_used;
  };
  const KvView& src = move.src[0];
  const KvView& dst = move.dst[0];
  const Range ranges[] = {{"src_first_layer", offsetof(A, src_first_layer), src.layers > 1},
                          {"dst_first_layer", offsetof(A, dst_first_layer), dst.layers > 1},
                          {"src_first_plane", offsetof(A, src_first_plane), src.planes > move.planes},
                          {"dst_first_plane", offsetof(A, dst_first_plane), dst.planes > move.planes},
                          {"src_first_head", offsetof(A, src_first_head), src.heads > move.heads},
                          {"dst_first_head", offsetof(A, dst_first_head), dst.heads > move.heads}};
  for (const Range& range : ranges) {
    if (range.is_used) arguments.push_back(number(range.name, range.offset, "the first that is moved"));
  }
}

}  // namespace

std::vector<Argument> arguments_of_kv_move(const KernelSpec& spec) {
  using A = KvMoveArgs;
  using enum ArgumentKind;
  const KvMove move = kv_move_of(spec);
  std::vector<Argument> arguments;
  append_views(move.src, move.src_index, kSrc, input, arguments);
  // What a gather leaves out of a fresh object is of no interest; a cache keeps what is not written.
  append_views(move.dst, move.dst_index, kDst, move.direction == KvDirection::gather ? output : update,
               arguments);
  append_index(move.src_index, kSrc, arguments);
  append_index(move.dst_index, kDst, arguments);
  for (std::size_t i = 0; i < kKvScaleNames.size(); ++i) {
    const Index count = table_elements(move, static_cast<Index>(i));
    if (count == 0) continue;
    arguments.push_back({kKvScaleNames[i],
                         input,
                         f32,
                         offsetof(A, scales) + i * sizeof(float*),
                         {{count}},
                         "true = stored * scale"});
  }
  if (move.rotation.dim > 0) {
    const bool is_delta = std::any_of(move.segments.begin(), move.segments.end(),
                                      [](const KvSegment& s) { return s.rotate == KvRotate::delta; });
    const std::vector<Extent> tokens{{0, "tokens"}};
    const DType dtype = move.rotation.position_dtype;
    if (is_delta)
      arguments.push_back({"old_positions", input, dtype, offsetof(A, old_positions), tokens, "of tokens"});
    arguments.push_back({"new_positions", input, dtype, offsetof(A, new_positions), tokens, "of tokens"});
    arguments.push_back(number("position_shift", offsetof(A, position_shift), "added to each new position"));
  }
  if (move.has_checks()) {
    arguments.push_back(
        {"status", update, i32, offsetof(A, status), {{1}}, "1 negative, 2 too large, 4 duplicate"});
  }
  if (move.duplicates != KvDuplicates::unchecked) {
    arguments.push_back(
        {"workspace", workspace, u8, offsetof(A, workspace), {}, "which token has which slot"});
  }
  arguments.push_back(number("tokens", offsetof(A, tokens), "tokens"));
  arguments.push_back(number("first_token", offsetof(A, first_token), "tokens before it are not moved"));
  arguments.push_back(number("layers", offsetof(A, layers), "that are moved; 0: all"));
  arguments.push_back(
      number("max_blocks", offsetof(A, max_blocks), "of threads, at most; 0: as many as help"));
  append_ranges(move, arguments);
  return arguments;
}

}  // namespace lathe::codegen
