// The field lists of kv_gather's and kv_scatter's specs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <lathe/kv_move.h>

#include "codegen/field.h"
#include "codegen/ops/rope_fields.h"

namespace lathe::codegen {

template <>
struct EnumNames<KvBase> {
  static constexpr std::array<std::string_view, 6> names{"single", "layer",       "plane_layer",
                                                         "chunk",  "chunk_layer", "shared"};
};
template <>
struct EnumNames<KvPlace> {
  static constexpr std::array<std::string_view, 2> names{"device", "host"};
};
template <>
struct EnumNames<KvIndexKind> {
  static constexpr std::array<std::string_view, 6> names{"identity", "slots",       "blocks",
                                                         "pairs",    "block_table", "pages"};
};
template <>
struct EnumNames<KvBadIndex> {
  static constexpr std::array<std::string_view, 3> names{"skip", "report", "unchecked"};
};
template <>
struct EnumNames<KvDuplicates> {
  static constexpr std::array<std::string_view, 3> names{"last", "report", "unchecked"};
};
template <>
struct EnumNames<KvScaleKind> {
  static constexpr std::array<std::string_view, 3> names{"none", "table", "stored"};
};
template <>
struct EnumNames<KvScaleType> {
  static constexpr std::array<std::string_view, 3> names{"f32", "ue8m0", "f32_power_of_two"};
};

template <>
struct EnumNames<KvRotate> {
  static constexpr std::array<std::string_view, 3> names{"none", "forward", "delta"};
};

namespace detail {
inline constexpr std::array kKvDTypes{f32, f16, bf16, e4m3, e5m2, i32, i64, u8};
inline constexpr std::array kKvIndexDTypes{i32, i64};
/// Extents of a view multiply to less than 2^63 bytes in all models there are; normalizing checks it.
inline constexpr std::int64_t kMaxKvExtent = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxKvBytes = std::int64_t{1} << 46;
}  // namespace detail

template <>
struct SpecFields<KvView> {
  using S = KvView;
  template <class T>
  using F = Field<S, T>;
  using Integer = std::int64_t;
  static constexpr std::tuple fields{
      F<std::string>{"axes",
                     &S::axes,
                     {32, "L P B N H C, or Cx and x for C"},
                     "",
                     "from outermost to innermost",
                     /*required=*/true},
      F<KvBase>{"base", &S::base, {}, "", "what the base pointer depends on"},
      F<std::vector<Integer>>{"strides",
                              &S::strides,
                              {8, {-1, detail::kMaxKvBytes}},
                              "bytes",
                              "one per axis: 0 tight, -1 given with each launch; none: all tight"},
      F<DType>{"dtype", &S::dtype, {detail::kKvDTypes}, "", "of the elements; u8 for rows of mixed ones"},
      F<Integer>{"layers", &S::layers, {1, 65536}, "", "extent of L, or of the table"},
      F<Integer>{"planes", &S::planes, {1, 16}, "", "2 for keys and values"},
      F<Integer>{"block_size", &S::block_size, {1, detail::kMaxKvExtent}, "slots", "slots per block"},
      F<Integer>{"heads", &S::heads, {1, 65536}, "", "heads per slot"},
      F<Integer>{"content",
                 &S::content,
                 {1, Integer{1} << 31},
                 "elements",
                 "of one head in one slot",
                 /*required=*/true},
      F<Integer>{"split", &S::split, {0, 65536}, "elements", "of x, where the axes have Cx and x"},
      F<Integer>{
          "offset", &S::offset, {0, detail::kMaxKvBytes}, "bytes", "from every base to the first element"},
      F<bool>{"short_tail", &S::short_tail, {}, "", "the last chunk is packed to the slots it has"},
      F<Integer>{"pointers",
                 &S::pointers,
                 {0, kMaxKvPointers},
                 "",
                 "entries of a table that travels with the arguments; 0: in memory"},
      F<KvPlace>{"place", &S::place, {}, "", "which memory: decides about cache hints"},
      F<Integer>{"alignment",
                 &S::alignment,
                 {0, 16, /*powers_of_two=*/true},
                 "bytes",
                 "of every base and stride; 0: what the known strides allow"}};
};

template <>
struct SpecFields<KvIndex> {
  using S = KvIndex;
  template <class T>
  using F = Field<S, T>;
  static constexpr std::tuple fields{
      F<KvIndexKind>{"kind", &S::kind, {}, "", "how a token finds its slot"},
      F<DType>{"dtype", &S::dtype, {detail::kKvIndexDTypes}, "", "of all that the map reads"},
      F<std::int64_t>{"page_size",
                      &S::page_size,
                      {0, detail::kMaxKvExtent},
                      "slots",
                      "per page that it numbers; 0: the first view's block_size"}};
};

template <>
struct SpecFields<KvScale> {
  using S = KvScale;
  template <class T>
  using F = Field<S, T>;
  using Integer = std::int64_t;
  static constexpr std::tuple fields{
      F<KvScaleKind>{"kind", &S::kind, {}, "", "table: given; stored: beside the values"},
      F<Integer>{"table", &S::table, {0, kMaxKvScales - 1}, "", "which of the launch's tables of scales"},
      F<Integer>{"first", &S::first, {0, detail::kMaxKvExtent}, "elements", "of the table"},
      F<std::string>{
          "axes", &S::axes, {8, "L, P and H, each at most once"}, "", "one scale for each; none: one"},
      F<bool>{"inverted", &S::inverted, {}, "", "true = stored / scale"},
      F<Integer>{"group", &S::group, {0, 128}, "elements", "that share a stored scale: 16 to 128; 0: all"},
      F<KvScaleType>{"type", &S::type, {}, "", "of a stored scale"},
      F<Integer>{"view", &S::view, {0, kMaxKvViews - 1}, "", "that holds the stored scales"},
      F<Integer>{"offset", &S::offset, {0, detail::kMaxKvBytes}, "bytes", "from its row's beginning"},
      F<double>{
          "amax_floor", &S::amax_floor, {0, 1e30}, "", "the largest magnitude counts as at least this"}};
};

template <>
struct SpecFields<KvSegment> {
  using S = KvSegment;
  template <class T>
  using F = Field<S, T>;
  using Integer = std::int64_t;
  static constexpr std::tuple fields{
      F<Integer>{"src_view", &S::src_view, {0, kMaxKvViews - 1}, "", "that is read"},
      F<Integer>{"dst_view", &S::dst_view, {0, kMaxKvViews - 1}, "", "that is written"},
      F<Integer>{"plane", &S::plane, {-1, 15}, "", "of those moved; -1: all"},
      F<Integer>{"src_offset", &S::src_offset, {0, detail::kMaxKvBytes}, "bytes", "from the row's beginning"},
      F<Integer>{"dst_offset", &S::dst_offset, {0, detail::kMaxKvBytes}, "bytes", "from the row's beginning"},
      F<Integer>{"count", &S::count, {0, Integer{1} << 34}, "elements", "0: to the end of the source's row"},
      F<std::optional<DType>>{"src_dtype", &S::src_dtype, {detail::kKvDTypes}, "", "unset: the view's"},
      F<std::optional<DType>>{"dst_dtype", &S::dst_dtype, {detail::kKvDTypes}, "", "unset: the view's"},
      F<KvScale>{"src_scale", &S::src_scale, {}, "", "true = stored * scale"},
      F<KvScale>{"dst_scale", &S::dst_scale, {}, "", "stored = true / scale"},
      F<KvRotate>{"rotate", &S::rotate, {}, "", "to a new position, or from an old one to it"},
      F<Integer>{"rotate_offset", &S::rotate_offset, {0, 8192}, "elements", "before those that are rotated"}};
};

template <>
struct SpecFields<KvRotation> {
  using S = KvRotation;
  template <class T>
  using F = Field<S, T>;
  static constexpr std::tuple fields{
      F<std::int64_t>{"dim", &S::dim, {0, 1024}, "elements", "that are rotated, an even number; 0: none"},
      F<RopePairs>{"pairs", &S::pairs, {}, "", "which elements make a pair"},
      F<RopeFrequencies>{"frequencies", &S::frequencies, {}, "", "of the pairs"},
      F<DType>{"position_dtype", &S::position_dtype, {detail::kKvIndexDTypes}, "", "of the positions"}};
};

template <KvDirection direction>
struct SpecFields<KvMoveSpec<direction>> {
  using S = KvMoveSpec<direction>;
  template <class T>
  using F = Field<S, T>;
  static constexpr std::string_view op = direction == KvDirection::gather ? "kv_gather" : "kv_scatter";
  static constexpr std::tuple fields{
      F<std::vector<KvView>>{"src", &S::src, {kMaxKvViews}, "", "views of what is read", /*required=*/true},
      F<std::vector<KvView>>{
          "dst", &S::dst, {kMaxKvViews}, "", "views of what is written", /*required=*/true},
      F<KvIndex>{"src_index", &S::src_index, {}, "", "how a token finds its slot in src"},
      F<KvIndex>{"dst_index", &S::dst_index, {}, "", "how a token finds its slot in dst"},
      F<std::vector<KvSegment>>{"segments", &S::segments, {8}, "", "parts of the row; none: copy all of it"},
      F<KvRotation>{"rotation", &S::rotation, {}, "", "of segments that are rotated"},
      F<std::int64_t>{"planes", &S::planes, {0, 16}, "", "to move; 0: all"},
      F<std::int64_t>{"heads", &S::heads, {0, 65536}, "", "to move; 0: all"},
      F<KvBadIndex>{"negative", &S::negative, {}, "", "what becomes of negative slots"},
      F<KvBadIndex>{"bounds", &S::bounds, {}, "", "what becomes of slots that do not exist"},
      F<KvDuplicates>{"duplicates", &S::duplicates, {}, "", "what becomes of destinations named twice"}};
};

}  // namespace lathe::codegen
