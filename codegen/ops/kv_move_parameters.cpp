// How kv_gather and kv_scatter are rendered: the same parameters on every kind of target.
#include <algorithm>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "codegen/ops/kv_check.h"
#include "codegen/ops/kv_layout.h"
#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_move_fields.h"
#include "codegen/ops/kv_tiling.h"
#include "codegen/ops/rope_frequencies.h"

namespace lathe::codegen {

namespace {

constexpr unsigned kThreads = 256;  // that of the template
/// Tokens per block of the kernels that settle which of two tokens has a destination. On a CPU so many cost
/// less than waking another thread.
constexpr std::int64_t kClaimTokensOnCpu = 8192;

/// The launch's steps stand for those that depend on it.
std::string step_text(Index step) {
  return fmt::to_string(step < 0 ? Index{-1} : step);
}

std::string view_text(const std::vector<KvView>& side, std::size_t number) {
  const KvView& view = side[number];
  const KvBase base = base_of(side, number);
  const KvSteps steps = steps_of(view, base);
  const auto axes = parse_kv_axes(view.axes);
  // The layers and planes outside N: in a short chunk they are closer.
  const auto shrinks = [&](KvAxis axis) {
    const auto all = axes->all();
    return view.short_tail && std::find(all.begin(), std::find(all.begin(), all.end(), KvAxis::slot), axis) !=
                                  std::find(all.begin(), all.end(), KvAxis::slot);
  };
  const bool is_by_value = (view.base == KvBase::shared ? side.front() : view).pointers > 0;
  return fmt::format("{{KvBase::{}, {}, {}, KvPlace::{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}",
                     enum_name(base), view.base == KvBase::shared, is_by_value, enum_name(view.place),
                     view.layers, view.block_size, step_text(steps.layer), step_text(steps.plane),
                     step_text(steps.block), step_text(steps.slot), step_text(steps.head),
                     step_text(steps.piece), steps.piece_bytes, view.offset, shrinks(KvAxis::layer),
                     shrinks(KvAxis::plane));
}

std::string views_text(const std::vector<KvView>& side) {
  std::string text = "{";
  for (std::size_t i = 0; i < side.size(); ++i) text += (i == 0 ? "" : ", ") + view_text(side, i);
  return text + "}";
}

std::string index_text(const KvIndex& index, int column) {
  return fmt::format("{{KvIndexKind::{}, {}, {}, {}}}", enum_name(index.kind), index.dtype == i64,
                     std::max<Index>(1, index.page_size), column);
}

/// Elements between scales of neighbouring layers, planes and heads, in the order of the scale's axes.
std::string scale_text(const KvScale& scale, const KvView& view) {
  Index steps[3] = {};
  Index running = 1;
  for (std::size_t i = scale.axes.size(); i-- > 0;) {
    const std::size_t axis = std::string_view("LPH").find(scale.axes[i]);
    if (axis == std::string_view::npos) continue;
    steps[axis] = running;
    running *= axis == 0 ? view.layers : axis == 1 ? view.planes : view.heads;
  }
  return fmt::format(
      "{{KvScaleKind::{}, {}, {}, {}, {}, {}, {}, {}, KvScaleType::{}, {}, {}, static_cast<float>({:a})}}",
      enum_name(scale.kind), scale.table, scale.first, steps[0], steps[1], steps[2], scale.inverted,
      scale.group, enum_name(scale.type), scale.view, scale.offset, scale.amax_floor);
}

/// What a segment's accesses may be multiples of, on one side.
struct Access {
  Access(const std::vector<KvView>& side, std::int64_t number, std::int64_t segment_offset)
      : view(side[static_cast<std::size_t>(number)]),
        steps(steps_of(view, base_of(side, static_cast<std::size_t>(number)))),
        offset(segment_offset) {}

  /// Bytes of a power of two that every access begins at a multiple of, at most 16.
  Index alignment() const {
    Index all = std::gcd(std::gcd(Index{16}, view.alignment), std::gcd(view.offset, offset));
    if (steps.piece != 0) all = std::gcd(all, steps.piece_bytes);
    return all;
  }
  /// Whether no pack of that many bytes crosses from one piece into the next.
  bool keeps_to_pieces(Index bytes) const {
    return steps.piece == 0 || (steps.piece_bytes % bytes == 0 && offset % bytes == 0);
  }

  const KvView& view;
  KvSteps steps;
  Index offset;
};

/// Bytes per access of a copy, elements per pack of a conversion.
Index width_of(const KvMove& move, const KvSegment& segment) {
  const Access src(move.src, segment.src_view, segment.src_offset);
  const Access dst(move.dst, segment.dst_view, segment.dst_offset);
  if (is_copy(segment)) return std::gcd(std::gcd(src.alignment(), dst.alignment()), segment.count);
  const auto fits = [&](const Access& side, DType dtype, Index pack) {
    const Index bytes = pack * static_cast<Index>(size_of(dtype));
    return side.alignment() % std::min<Index>(16, bytes) == 0 && side.keeps_to_pieces(bytes);
  };
  const Index group = segment.dst_scale.kind == KvScaleKind::stored ? segment.dst_scale.group : segment.count;
  // Pairs must not lie across packs, nor packs across the ends of what is rotated.
  const auto keeps_pairs = [&](Index pack) {
    if (segment.rotate == KvRotate::none) return true;
    const Index unit = move.rotation.pairs == RopePairs::half ? move.rotation.dim / 2 : move.rotation.dim;
    return unit % pack == 0 && segment.rotate_offset % pack == 0 && segment.count % pack == 0;
  };
  for (const Index pack : {8, 4}) {
    if (group % pack == 0 && keeps_pairs(pack) && fits(src, *segment.src_dtype, pack) &&
        fits(dst, *segment.dst_dtype, pack))
      return pack;
  }
  return 1;
}

std::string_view type_text(const KvSegment& segment, DType dtype) {
  return is_copy(segment) ? "bytes" : name_of(dtype);
}

std::string segments_text(const KvMove& move, std::int64_t merged) {
  std::string text = "{";
  for (const KvSegment& segment : move.segments) {
    text +=
        fmt::format("{}{{KvType::{}, KvType::{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, KvRotate::{}, {}}}",
                    text.size() > 1 ? ", " : "", type_text(segment, *segment.src_dtype),
                    type_text(segment, *segment.dst_dtype), segment.src_view, segment.dst_view, segment.plane,
                    segment.src_offset, segment.dst_offset, segment.count * merged, width_of(move, segment),
                    scale_text(segment.src_scale, move.src[0]), scale_text(segment.dst_scale, move.dst[0]),
                    enum_name(segment.rotate), segment.rotate_offset);
  }
  return text + "}";
}

std::string rotation_text(const KvRotation& rotation) {
  return fmt::format("{{{}, {}, {}, static_cast<float>({:a})}}", rotation.dim,
                     rotation.pairs == RopePairs::half, rotation.position_dtype == i64,
                     rotation.frequencies.attention_factor.value_or(1.0));
}

std::string turns_text(const KvRotation& rotation) {
  if (rotation.dim == 0) return "{0}";
  return array_literal(turns_per_position(rotation.frequencies, rotation.dim));
}

}  // namespace

Result<RenderPlan> plan_kv_move(const KernelSpec& spec, const Target& target) {
  const KvMove move = kv_move_of(spec);
  const bool is_cpu = target.backend == Backend::cpu;
  if (!is_cpu && find_cuda_arch(target.arch) == nullptr) {
    return Error{
        .code = ErrorCode::unsupported,
        .stage = Stage::render,
        .message = fmt::format("{}: {} is not an architecture that Lathe knows", move.name(), target.text()),
        .hint = fmt::format("known architectures are {}", cuda_arch_names())};
  }
  const std::int64_t tile_tokens = tokens_per_tile(move, target.backend);
  const std::int64_t merged = heads_per_row(move);
  RenderPlan plan{
      .template_name = is_cpu ? "cpu/kv_move.cpp" : "cuda/kv_move.cu",
      .parameters = {{"kSrcViews", views_text(move.src)},
                     {"kDstViews", views_text(move.dst)},
                     {"kSrcIndex", index_text(move.src_index, 0)},
                     {"kDstIndex", index_text(move.dst_index, 1)},
                     {"kSegments", segments_text(move, merged)},
                     {"kRotation", rotation_text(move.rotation)},
                     {"kTurns", turns_text(move.rotation)},
                     {"kPlanes", fmt::to_string(move.planes)},
                     {"kHeads", fmt::to_string(move.heads / merged)},
                     {"kTileTokens", fmt::to_string(tile_tokens)},
                     {"kParts", fmt::to_string(parts_per_token(move))},
                     {"kNegative", fmt::format("KvBadIndex::{}", enum_name(move.negative))},
                     {"kBounds", fmt::format("KvBadIndex::{}", enum_name(move.bounds))},
                     {"kDuplicates", fmt::format("KvDuplicates::{}", enum_name(move.duplicates))}},
      .entries = {}};
  const unsigned threads = is_cpu ? 1 : kThreads;
  const LaunchFacts claim{.block = {threads}, .work_per_block = is_cpu ? kClaimTokensOnCpu : kThreads};
  if (is_cpu) plan.parameters.emplace_back("kClaimTokens", fmt::to_string(kClaimTokensOnCpu));
  if (move.duplicates != KvDuplicates::unchecked) {
    plan.entries = {{"lathe_kv_unclaim", claim}, {"lathe_kv_claim", claim}};
  }
  plan.entries.push_back({"lathe_kv_move", {.block = {threads}, .work_per_block = tile_tokens}});
  return plan;
}

}  // namespace lathe::codegen
