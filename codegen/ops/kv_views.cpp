// What a view of a spec is checked for.
#include <algorithm>
#include <bit>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include "codegen/ops/kv_check.h"
#include "codegen/ops/kv_layout.h"
#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_move_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

/// One view while it is checked, and how messages call it.
struct Checked {
  const KvMove& move;
  std::string name;
  KvView& view;
  KvBase base;
  KvAxes axes;

  Error bad(std::string message, std::string hint = {}) const {
    return bad_kv_spec(move, name + ": " + std::move(message), std::move(hint));
  }
};

/// Every coordinate has an axis or picks a pointer, not both; those of one value need neither.
Result<void> check_axes(const Checked& checked) {
  struct Coordinate {
    KvAxis axis;
    bool is_selected;
    std::int64_t extent;
    const char* field;
  };
  const KvView& view = checked.view;
  const Coordinate coordinates[] = {
      {KvAxis::layer, selects_layer(checked.base), view.layers, "layers"},
      {KvAxis::plane, selects_plane(checked.base), view.planes, "planes"},
      {KvAxis::block, selects_block(checked.base), 1, "blocks"},
      {KvAxis::slot, false, view.block_size, "block_size"},
      {KvAxis::head, false, view.heads, "heads"},
  };
  const std::string_view base = enum_name(checked.base);
  for (const Coordinate& coordinate : coordinates) {
    const bool has_axis = checked.axes.has(coordinate.axis);
    if (has_axis && coordinate.is_selected) {
      return checked.bad(
          fmt::format("the {} is an axis of \"{}\", and base is {}, which has a pointer for each",
                      name_of(coordinate.axis), view.axes, base),
          "leave the axis out, or choose another base");
    }
    if (!has_axis && !coordinate.is_selected && coordinate.extent != 1) {
      return checked.bad(fmt::format("{} is {}, but axes \"{}\" have no {}", coordinate.field,
                                     coordinate.extent, view.axes, name_of(coordinate.axis)),
                         fmt::format("add the axis, choose a base that depends on the {}, or leave {} out",
                                     name_of(coordinate.axis), coordinate.field));
    }
  }
  const bool has_blocks = checked.axes.has(KvAxis::block) || selects_block(checked.base);
  if (!has_blocks && !checked.axes.has(KvAxis::slot)) {
    return checked.bad(fmt::format("axes \"{}\" have neither B nor N: all tokens would be one", view.axes),
                       "add N, or B where tokens lie in blocks");
  }
  if (!has_blocks && view.block_size != 1) {
    return checked.bad(fmt::format("block_size is {}, but axes \"{}\" have no B: N counts all slots",
                                   view.block_size, view.axes),
                       "leave block_size out; page_size of the index says how slots are numbered");
  }
  return {};
}

Result<void> check_split(const Checked& checked) {
  const KvView& view = checked.view;
  const bool has_pieces = checked.axes.has(KvAxis::piece);
  if (has_pieces && (view.split == 0 || view.content % view.split != 0)) {
    return checked.bad(
        fmt::format("axes \"{}\" split the content of {} elements into pieces of {}", view.axes, view.content,
                    view.split),
        "split is the number of elements of x and divides content: 16 bytes / the element's size for vLLM");
  }
  if (!has_pieces && view.split != 0) {
    return checked.bad(fmt::format("split is {}, but axes \"{}\" have no x", view.split, view.axes),
                       "leave split out, or write Cx and x instead of C");
  }
  return {};
}

/// How many there are along an axis, as far as the spec knows; 0: the launch says.
Index extent_of(const Checked& checked, KvAxis axis) {
  const KvView& view = checked.view;
  const bool has_blocks = checked.axes.has(KvAxis::block) || selects_block(checked.base);
  switch (axis) {
    case KvAxis::layer:
      return view.layers;
    case KvAxis::plane:
      return view.planes;
    case KvAxis::block:
      return 0;
    case KvAxis::slot:
      return has_blocks ? view.block_size : 0;
    case KvAxis::head:
      return view.heads;
    case KvAxis::content:
      return view.content;
    case KvAxis::piece:
      return view.content / view.split;
    case KvAxis::within:
      return view.split;
  }
  return 0;
}

Result<void> check_strides(const Checked& checked) {
  KvView& view = checked.view;
  const auto axes = checked.axes.all();
  if (view.strides.empty()) view.strides.assign(axes.size(), 0);
  if (view.strides.size() != axes.size()) {
    return checked.bad(
        fmt::format("{} strides for the {} axes of \"{}\"", view.strides.size(), axes.size(), view.axes),
        "one per axis, in bytes: 0 tightly packed, -1 given with each launch");
  }
  const auto element = static_cast<Index>(size_of(view.dtype));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    std::int64_t& stride = view.strides[i];
    if (stride < -1) {
      return checked.bad(fmt::format("the stride of {} is {}", name_of(axes[i]), stride),
                         "bytes, 0 for tightly packed, or -1 for given with each launch");
    }
    const bool is_contiguous =
        axes[i] == KvAxis::within || (axes[i] == KvAxis::content && i + 1 == axes.size());
    // Neighbours that do not exist may be anywhere.
    if (extent_of(checked, axes[i]) == 1) stride = 0;
    if (is_contiguous && stride == element) stride = 0;
    if (is_contiguous && stride != 0) {
      return checked.bad(fmt::format("the stride of {} is {}, it must be tight: {} bytes", name_of(axes[i]),
                                     stride, element),
                         "put a strided content as an outer axis: \"Cx ... x\" with split 1");
    }
  }
  return {};
}

Result<void> check_chunks(const Checked& checked) {
  const KvView& view = checked.view;
  if (view.short_tail) {
    const bool is_tight =
        std::all_of(view.strides.begin(), view.strides.end(), [](std::int64_t s) { return s == 0; });
    const auto axes = checked.axes.all();
    const auto slot = std::find(axes.begin(), axes.end(), KvAxis::slot);
    const bool is_plain = slot != axes.end() && std::none_of(axes.begin(), slot, [](KvAxis axis) {
                            return axis == KvAxis::head || axis == KvAxis::content || axis == KvAxis::piece;
                          });
    if (!selects_block(checked.base) || !is_tight || !is_plain) {
      return checked.bad(fmt::format(
          "short_tail needs a base of chunks, tight strides, and heads and content inside N; base "
          "is {} and axes are \"{}\"",
          enum_name(checked.base), view.axes));
    }
  }
  if (view.pointers == 0) return {};
  if (view.base == KvBase::single || view.base == KvBase::shared) {
    return checked.bad(fmt::format("pointers is {}, but base is {}, which has no table", view.pointers,
                                   enum_name(view.base)),
                       "leave pointers out");
  }
  const Index needed = view.base == KvBase::layer         ? view.layers
                       : view.base == KvBase::plane_layer ? view.layers * view.planes
                       : view.base == KvBase::chunk_layer ? view.layers
                                                          : 1;
  if (view.pointers < needed) {
    return checked.bad(fmt::format("pointers is {}, but a base of {} has {} at least", view.pointers,
                                   enum_name(view.base), needed));
  }
  return {};
}

/// The largest power of two, up to 16, that divides what the spec says of the view's addresses.
Index known_alignment(const KvView& view, KvBase base) {
  const KvSteps steps = steps_of(view, base);
  Index all = 16;
  for (const Index step : {steps.layer, steps.plane, steps.block, steps.slot, steps.head, steps.piece}) {
    if (step > 0) all = std::gcd(all, step);
  }
  // Steps of the launch that are tight are multiples of a row, or of a piece.
  all = std::gcd(all, steps.piece_bytes);
  return all;
}

Result<void> resolve_alignment(const Checked& checked) {
  KvView& view = checked.view;
  const Index known = known_alignment(view, checked.base);
  const auto element = static_cast<Index>(size_of(view.dtype));
  if (view.alignment == 0) view.alignment = std::max(known, element);
  const KvSteps steps = steps_of(view, checked.base);
  for (const Index step : {steps.layer, steps.plane, steps.block, steps.slot, steps.head, steps.piece}) {
    if (step > 0 && step % view.alignment != 0) {
      return checked.bad(
          fmt::format("a stride is {} bytes, not a multiple of alignment, which is {}", step, view.alignment),
          fmt::format("leave alignment out, or pad the strides; they allow {}", known));
    }
  }
  if (view.alignment < element) {
    return checked.bad(fmt::format("alignment is {} bytes, less than an element of {}, which has {}",
                                   view.alignment, name_of(view.dtype), element),
                       "use dtype u8 for bytes at any address");
  }
  if (view.offset % element != 0) {
    return checked.bad(fmt::format("offset is {} bytes, not a multiple of an element of {}", view.offset,
                                   name_of(view.dtype)));
  }
  return {};
}

/// No product of a launch may pass 2^63: blocks are checked there, all else here.
Result<void> check_size(const Checked& checked) {
  KvView view = checked.view;
  Index bytes = 0;
  // Kernels count what they move of a slot in 32 bits, a round of all threads at a time.
  if (__builtin_mul_overflow(row_bytes(view), view.heads, &bytes) || bytes > Index{1} << 30) {
    return checked.bad(fmt::format("all heads of a slot have {} bytes, allowed are 2^30", bytes),
                       "a slot may also be a part of what it is: more slots of less content");
  }
  view.strides.assign(view.strides.size(), 0);
  if (steps_of(view, checked.base, {.steps = {}, .blocks = 1}).bytes < 0) {
    return checked.bad("one block of all layers has more than 2^63 bytes");
  }
  return {};
}

}  // namespace

Result<void> normalize_kv_views(const KvMove& move, const char* side, std::vector<KvView>& views) {
  if (views.empty() || views.size() > kMaxKvViews) {
    return bad_kv_spec(move,
                       fmt::format("{} has {} views, allowed are 1 to {}", side, views.size(), kMaxKvViews),
                       "a view says where rows lie: {\"axes\": \"B N H C\", \"block_size\": 16, ...}");
  }
  int by_value = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const std::string name = fmt::format("{}[{}]", side, i);
    if (i == 0 && views[i].base == KvBase::shared) {
      return bad_kv_spec(move, name + ": base is shared, but it is the first view",
                         "only later views can share the first one's base");
    }
    auto axes = parse_kv_axes(views[i].axes);
    if (!axes) {
      return bad_kv_spec(move, name + ": " + axes.error().message, axes.error().hint);
    }
    views[i].axes = text_of(*axes);
    const Checked checked{move, name, views[i], base_of(views, i), *axes};
    LATHE_CHECK(check_axes(checked));
    LATHE_CHECK(check_split(checked));
    LATHE_CHECK(check_strides(checked));
    LATHE_CHECK(check_chunks(checked));
    LATHE_CHECK(check_size(checked));
    LATHE_CHECK(resolve_alignment(checked));
    by_value += views[i].pointers > 0 ? 1 : 0;
  }
  if (by_value > 1) {
    return bad_kv_spec(move,
                       fmt::format("{}: {} views have pointers, only one table per side travels with the "
                                   "arguments",
                                   side, by_value));
  }
  return {};
}

}  // namespace lathe::codegen
