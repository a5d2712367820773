#include "codegen/ops/kv_layout.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace lathe::codegen {

namespace {

Error bad_axes(std::string_view text, std::string message) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = fmt::format("axes \"{}\": {}", text.substr(0, 60), message),
          .hint =
              "axes are L layer, P plane, B block, N slot, H head and C content, or Cx and x for content "
              "in pieces, from outermost to innermost: \"B N H C\""};
}

/// -1 for a letter that is no axis.
int axis_of(char letter) {
  constexpr std::string_view kLetters = "LPBNHC";
  const std::size_t found = kLetters.find(letter);
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

/// The product, or kKvPerLaunch where a factor is unknown or an Index does not hold it.
Index product(Index a, Index b) {
  Index result = 0;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &result)) return kKvPerLaunch;
  return result;
}

/// The sum, or kKvPerLaunch likewise.
Index sum(Index a, Index b) {
  Index result = 0;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &result)) return kKvPerLaunch;
  return result;
}

/// How many there are along an axis; kKvPerLaunch for blocks of a spec.
Index extent_of(const KvView& view, KvAxis axis, bool is_lone_slot, Index blocks) {
  switch (axis) {
    case KvAxis::layer:
      return view.layers;
    case KvAxis::plane:
      return view.planes;
    case KvAxis::block:
      return blocks;
    case KvAxis::slot:
      return is_lone_slot ? blocks : view.block_size;
    case KvAxis::head:
      return view.heads;
    case KvAxis::content:
      return view.content;
    case KvAxis::piece:
      return view.content / std::max<Index>(1, view.split);
    case KvAxis::within:
      return view.split;
  }
  return 0;
}

KvSteps walk(const KvView& view, KvBase base, const KvGivenSteps* given) {
  const auto parsed = parse_kv_axes(view.axes);
  const KvAxes axes = parsed ? *parsed : KvAxes{};
  const Index blocks = given != nullptr ? given->blocks : kKvPerLaunch;
  KvSteps from_launch = given != nullptr ? given->steps : KvSteps{};
  KvSteps steps;
  Index running = static_cast<Index>(size_of(view.dtype));
  Index enclosed = running;
  steps.piece_bytes = row_bytes(view);
  const bool is_lone_slot = !axes.has(KvAxis::block) && !selects_block(base);
  for (std::size_t i = axes.count; i-- > 0;) {
    const KvAxis axis = axes.order[i];
    const Index fixed = i < view.strides.size() ? view.strides[i] : 0;
    const KvAxis field = axis_of_step(axes, i, base);
    Index* const launch_step = from_launch.of(field);
    Index step = fixed > 0 ? fixed : running;
    if (fixed < 0) step = launch_step == nullptr || *launch_step == 0 ? running : *launch_step;
    if (fixed < 0 && given == nullptr) step = kKvPerLaunch;
    if (Index* const to = steps.of(field)) *to = step;
    if (field == KvAxis::piece) {
      steps.piece_bytes =
          (axis == KvAxis::content ? 1 : view.split) * static_cast<Index>(size_of(view.dtype));
    }
    const Index extent = extent_of(view, axis, is_lone_slot, blocks);
    running = product(step, extent);
    // The outermost axis need not be the widest.
    enclosed = sum(enclosed, product(step, extent - 1));
  }
  steps.bytes = enclosed;
  steps.pitch = enclosed < 0 || running < 0 ? kKvPerLaunch : std::max(enclosed, running);
  return steps;
}

}  // namespace

std::string_view name_of(KvAxis axis) {
  constexpr std::string_view kNames[] = {"layer", "plane", "block", "slot", "head", "content", "piece", "x"};
  return kNames[static_cast<std::size_t>(axis)];
}

bool KvAxes::has(KvAxis axis) const {
  return std::find(order.begin(), order.begin() + count, axis) != order.begin() + count;
}

Result<KvAxes> parse_kv_axes(std::string_view text) {
  KvAxes axes;
  const auto add = [&](KvAxis axis) {
    if (axes.has(axis) || axes.count == axes.order.size()) return false;
    axes.order[axes.count++] = axis;
    return true;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    KvAxis axis = KvAxis::within;
    if (text[i] == 'C' && i + 1 < text.size() && text[i + 1] == 'x') {
      axis = KvAxis::piece;
      ++i;
    } else if (text[i] != 'x') {
      const int letter = axis_of(text[i]);
      if (letter < 0) return bad_axes(text, fmt::format("'{}' is no axis", text[i]));
      axis = static_cast<KvAxis>(letter);
    }
    if (!add(axis)) return bad_axes(text, fmt::format("the axis {} stands twice", name_of(axis)));
  }
  const bool has_piece = axes.has(KvAxis::piece);
  if (has_piece != axes.has(KvAxis::within)) return bad_axes(text, "Cx and x go together");
  if (has_piece == axes.has(KvAxis::content)) return bad_axes(text, "the content is C, or Cx and x");
  if (has_piece && axes.order[axes.count - 1] != KvAxis::within) return bad_axes(text, "x is not innermost");
  return axes;
}

std::string text_of(const KvAxes& axes) {
  constexpr std::string_view kLetters[] = {"L", "P", "B", "N", "H", "C", "Cx", "x"};
  std::string text;
  for (const KvAxis axis : axes.all()) {
    if (!text.empty()) text += ' ';
    text += kLetters[static_cast<std::size_t>(axis)];
  }
  return text;
}

KvAxis axis_of_step(const KvAxes& axes, std::size_t number, KvBase base) {
  const KvAxis axis = axes.order[number];
  const bool is_last = number + 1 == axes.count;
  if (axis == KvAxis::content && !is_last) return KvAxis::piece;
  const bool is_lone_slot = axis == KvAxis::slot && !axes.has(KvAxis::block) && !selects_block(base);
  return is_lone_slot ? KvAxis::block : axis;
}

Index* KvSteps::of(KvAxis axis) {
  switch (axis) {
    case KvAxis::layer:
      return &layer;
    case KvAxis::plane:
      return &plane;
    case KvAxis::block:
      return &block;
    case KvAxis::slot:
      return &slot;
    case KvAxis::head:
      return &head;
    case KvAxis::piece:
      return &piece;
    case KvAxis::content:
    case KvAxis::within:
      return nullptr;
  }
  return nullptr;
}

KvSteps steps_of(const KvView& view, KvBase base) {
  return walk(view, base, nullptr);
}

KvSteps steps_of(const KvView& view, KvBase base, const KvGivenSteps& given) {
  return walk(view, base, &given);
}

}  // namespace lathe::codegen
