#include "tests/reference/kv_move.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <sstream>
#include <string>

#include "tests/reference/rope.h"
#include "tests/reference/rounding.h"

namespace lathe::reference {

namespace {

struct Coordinates {
  Index layer, plane, slot, head;
};

/// One side of the move; addresses are worked out from the axes, anew for each byte.
template <class Pointer>
struct Side {
  Side(const std::vector<KvView>& side, const KvViewArgs<Pointer>* side_args, const Pointer* side_pointers)
      : views(side), args(side_args), pointers(side_pointers) {
    for (const KvView& view : views) {
      axes.emplace_back();
      std::istringstream text(view.axes);
      for (std::string axis; text >> axis;) axes.back().push_back(axis);
    }
  }

  const std::vector<KvView>& views;
  const KvViewArgs<Pointer>* args;
  const Pointer* pointers;
  std::vector<std::vector<std::string>> axes{};  ///< of each view, from outermost to innermost

  Index extent(std::size_t v, const std::string& axis, Index slots_in_block) const {
    const KvView& view = views[v];
    if (axis == "L") return view.layers;
    if (axis == "P") return view.planes;
    if (axis == "B") return args[v].blocks;
    if (axis == "N") return slots_in_block;
    if (axis == "H") return view.heads;
    if (axis == "C") return view.content;
    if (axis == "Cx") return view.content / view.split;
    return view.split;
  }

  Index given_step(std::size_t v, const std::string& axis, bool has_blocks) const {
    const KvViewArgs<Pointer>& a = args[v];
    if (axis == "L") return a.layer_step;
    if (axis == "P") return a.plane_step;
    if (axis == "B") return a.block_step;
    if (axis == "N") return has_blocks ? a.slot_step : a.block_step;
    if (axis == "H") return a.head_step;
    return a.piece_step;
  }

  Pointer base(std::size_t v, const Coordinates& at, Index block) const {
    const KvView& view = views[v];
    if (view.base == KvBase::shared) return base(0, at, block);
    Index entry = 0;
    if (view.base == KvBase::single) return args[v].base;
    if (view.base == KvBase::layer) entry = at.layer;
    if (view.base == KvBase::plane_layer) entry = at.plane * view.layers + at.layer;
    if (view.base == KvBase::chunk) entry = block;
    if (view.base == KvBase::chunk_layer) entry = block * view.layers + at.layer;
    if (view.pointers > 0) return pointers[entry];
    return args[v].table[entry];
  }

  /// The address of a byte of the content.
  std::byte* address(std::size_t v, const Coordinates& at, Index byte) const {
    const KvView& view = views[v];
    const std::vector<std::string>& order = axes[v];
    const KvBase base_kind = view.base == KvBase::shared ? views[0].base : view.base;
    const bool has_blocks = std::find(order.begin(), order.end(), "B") != order.end() ||
                            base_kind == KvBase::chunk || base_kind == KvBase::chunk_layer;
    const Index block = has_blocks ? at.slot / view.block_size : 0;
    const bool is_tail = view.short_tail && args[v].last_slots > 0 && block == args[v].blocks - 1;
    const Index slots_in_block =
        !has_blocks ? args[v].blocks : (is_tail ? args[v].last_slots : view.block_size);
    const auto size = static_cast<Index>(size_of(view.dtype));
    const Index element = byte / size;
    Index offset = view.offset + byte % size;
    Index tight = size;
    for (std::size_t i = order.size(); i-- > 0;) {
      const std::string& axis = order[i];
      Index coordinate = 0;
      if (axis == "L") coordinate = at.layer;
      if (axis == "P") coordinate = at.plane;
      if (axis == "B") coordinate = block;
      if (axis == "N") coordinate = has_blocks ? at.slot % view.block_size : at.slot;
      if (axis == "H") coordinate = at.head;
      if (axis == "C") coordinate = element;
      if (axis == "Cx") coordinate = element / view.split;
      if (axis == "x") coordinate = element % view.split;
      Index step = view.strides.empty() ? 0 : view.strides[i];
      if (step < 0) step = given_step(v, axis, has_blocks);
      if (step == 0) step = tight;
      offset += coordinate * step;
      tight = step * extent(v, axis, slots_in_block);
    }
    const void* from = base(v, at, block);
    return static_cast<std::byte*>(const_cast<void*>(from)) + offset;
  }
};

constexpr Index kNegative = -1;
constexpr Index kMissing = -2;

struct Map {
  const KvIndex& index;
  const KvIndexArgs& args;
  Index page_size;
  int column;
  Index slots;  ///< that exist

  Index entry(const void* from, Index i) const {
    return index.dtype == i64 ? static_cast<const std::int64_t*>(from)[i]
                              : static_cast<const std::int32_t*>(from)[i];
  }
  Index on_page(Index page, Index position) const {
    return page < 0 ? kNegative : page * page_size + position % page_size;
  }
  Index slot(Index token) const {
    const Index found = look_up(token);
    return found >= slots ? kMissing : found;
  }
  Index look_up(Index token) const {
    switch (index.kind) {
      case KvIndexKind::identity:
        return args.start + token;
      case KvIndexKind::slots: {
        const Index slot = entry(args.index, token);
        return slot < 0 ? kNegative : slot;
      }
      case KvIndexKind::blocks:
        return on_page(entry(args.index, (args.start + token) / page_size), args.start + token);
      case KvIndexKind::pairs:
        return on_page(entry(args.index, 2 * ((args.start + token) / page_size) + column),
                       args.start + token);
      case KvIndexKind::block_table:
        for (Index s = 0; s < args.sequences; ++s) {
          if (token < entry(args.offsets, s) || token >= entry(args.offsets, s + 1)) continue;
          const Index position =
              token - entry(args.offsets, s) + (args.positions != nullptr ? entry(args.positions, s) : 0);
          if (position < 0) return kNegative;
          if (position / page_size >= args.table_width) return kMissing;
          return on_page(entry(args.index, s * args.table_width + position / page_size), position);
        }
        return kMissing;
      case KvIndexKind::pages: {
        const Index sequence = entry(args.rows, token);
        const Index position = entry(args.positions, token);
        if (sequence < 0 || position < 0) return kNegative;
        if (sequence >= args.sequences) return kMissing;
        const Index page = entry(args.offsets, sequence) + position / page_size;
        if (page >= entry(args.offsets, sequence + 1)) return kMissing;
        if (args.entries != 0 && page >= args.entries) return kMissing;
        return on_page(entry(args.index, page), position);
      }
    }
    return kMissing;
  }
};

template <class Pointer>
Index slots_of(const std::vector<KvView>& views, const KvViewArgs<Pointer>* args) {
  Index slots = std::numeric_limits<Index>::max();
  for (std::size_t v = 0; v < views.size(); ++v) {
    const Index missing = args[v].last_slots > 0 ? views[v].block_size - args[v].last_slots : 0;
    slots = std::min(slots, args[v].blocks * views[v].block_size - missing);
  }
  return slots;
}

float read(DType dtype, const std::byte* from) {
  if (dtype == f32) {
    float value;
    std::memcpy(&value, from, 4);
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, size_of(dtype));
  return static_cast<float>(value_of(dtype, bits));
}

void write(DType dtype, std::byte* to, float value) {
  if (dtype == f32) {
    std::memcpy(to, &value, 4);
    return;
  }
  const std::uint16_t bits = bits_of(dtype, static_cast<double>(value));
  std::memcpy(to, &bits, size_of(dtype));
}

/// The scale of a table for a layer, plane and head of a side.
float table_scale(const KvScale& scale, const KvMoveArgs& args, const KvView& view, const Coordinates& at) {
  Index offset = 0;
  for (const char axis : scale.axes) {
    if (axis == 'L') offset = offset * view.layers + at.layer;
    if (axis == 'P') offset = offset * view.planes + at.plane;
    if (axis == 'H') offset = offset * view.heads + at.head;
  }
  return args.scales[scale.table][scale.first + offset];
}

/// Sines and cosines of a token's pairs.
std::vector<RopeAngle> angles_of(const KvRotation& rotation, KvRotate rotate, const KvMoveArgs& args,
                                 Index token) {
  const auto at = [&](const void* from) -> Index {
    if (from == nullptr) return 0;
    return rotation.position_dtype == i64 ? static_cast<const std::int64_t*>(from)[token]
                                          : static_cast<const std::int32_t*>(from)[token];
  };
  const bool is_delta = rotate == KvRotate::delta;
  const Index position =
      at(args.new_positions) + args.position_shift - (is_delta ? at(args.old_positions) : 0);
  RopeSpec rope;
  rope.rotary_dim = rotation.dim;
  rope.frequencies = rotation.frequencies;
  // The factor belongs to the way from no position to one.
  if (is_delta) rope.frequencies.attention_factor = 1.0;
  std::vector<RopeAngle> angles = rope_angles(rope, {std::abs(position)});
  for (RopeAngle& angle : angles) angle.sin = position < 0 ? -angle.sin : angle.sin;
  return angles;
}

/// Runs one segment on one row.
struct Row {
  const KvMove& move;
  Index token;
  const KvMoveArgs& args;
  const Side<const void*>& src;
  const Side<void*>& dst;
  Coordinates from, to;

  void copy(const KvSegment& s, Index bytes) const {
    for (Index i = 0; i < bytes; ++i) {
      *dst.address(static_cast<std::size_t>(s.dst_view), to, s.dst_offset + i) =
          *src.address(static_cast<std::size_t>(s.src_view), from, s.src_offset + i);
    }
  }

  float stored(const KvScale& scale, Index group) const {
    const Index at = scale.offset + group * (scale.type == KvScaleType::ue8m0 ? 1 : 4);
    const std::byte* from_byte = src.address(static_cast<std::size_t>(scale.view), from, at);
    if (scale.type != KvScaleType::ue8m0) return read(f32, from_byte);
    const int exponent = std::to_integer<int>(*from_byte);
    return exponent == 255 ? std::nanf("") : static_cast<float>(std::ldexp(1.0, exponent - 127));
  }

  /// Writes the scale of a group and returns it.
  float store(const KvScale& scale, DType dtype, Index group, float amax) const {
    const float floored = std::max(amax, static_cast<float>(scale.amax_floor));
    const float value = floored / (dtype == e4m3 ? 448.0f : 57344.0f);
    const Index at = scale.offset + group * (scale.type == KvScaleType::ue8m0 ? 1 : 4);
    std::byte* to_byte = dst.address(static_cast<std::size_t>(scale.view), to, at);
    if (scale.type == KvScaleType::f32) {
      write(f32, to_byte, value);
      return value;
    }
    int exponent = 0;
    while (exponent < 254 && std::ldexp(1.0, exponent - 127) < static_cast<double>(value)) ++exponent;
    const auto power = static_cast<float>(std::ldexp(1.0, exponent - 127));
    if (scale.type == KvScaleType::ue8m0) {
      *to_byte = static_cast<std::byte>(exponent);
    } else {
      write(f32, to_byte, power);
    }
    return power;
  }

  float true_value(const KvSegment& s, DType dtype, Index count, Index i) const {
    const auto size = static_cast<Index>(size_of(dtype));
    float value =
        read(dtype, src.address(static_cast<std::size_t>(s.src_view), from, s.src_offset + i * size));
    if (s.src_scale.kind == KvScaleKind::table) {
      const float scale = table_scale(s.src_scale, args, src.views[0], from);
      value = s.src_scale.inverted ? value / scale : value * scale;
    }
    if (s.src_scale.kind == KvScaleKind::stored) {
      value *= stored(s.src_scale, i / (s.src_scale.group == 0 ? count : s.src_scale.group));
    }
    return value;
  }

  /// Turned in double precision and rounded to a float, as kernels hold values between the scales.
  void turn(const KvSegment& s, std::vector<float>& values) const {
    const auto pairs = static_cast<std::size_t>(move.rotation.dim / 2);
    const auto offset = static_cast<std::size_t>(s.rotate_offset);
    const std::vector<RopeAngle> angles = angles_of(move.rotation, s.rotate, args, token);
    for (std::size_t i = 0; i < pairs; ++i) {
      const bool is_half = move.rotation.pairs == RopePairs::half;
      float& x = values[offset + (is_half ? i : 2 * i)];
      float& y = values[offset + (is_half ? i + pairs : 2 * i + 1)];
      const double a = static_cast<double>(x);
      const double b = static_cast<double>(y);
      x = static_cast<float>(a * angles[i].cos - b * angles[i].sin);
      y = static_cast<float>(b * angles[i].cos + a * angles[i].sin);
    }
  }

  void convert(const KvSegment& s, DType src_dtype, DType dst_dtype, Index count) const {
    const auto size = static_cast<Index>(size_of(dst_dtype));
    const bool stores = s.dst_scale.kind == KvScaleKind::stored;
    const Index group = !stores || s.dst_scale.group == 0 ? count : s.dst_scale.group;
    for (Index first = 0; first < count; first += group) {
      std::vector<float> values;
      float amax = 0;
      for (Index i = first; i < first + group; ++i) {
        values.push_back(true_value(s, src_dtype, count, i));
      }
      if (s.rotate != KvRotate::none) turn(s, values);
      for (const float value : values) amax = std::fmax(amax, std::fabs(value));
      const float group_scale = stores ? store(s.dst_scale, dst_dtype, first / group, amax) : 1;
      for (Index i = first; i < first + group; ++i) {
        float value = values[static_cast<std::size_t>(i - first)];
        if (stores) value /= group_scale == 0 ? 1 : group_scale;
        if (s.dst_scale.kind == KvScaleKind::table) {
          const float scale = table_scale(s.dst_scale, args, dst.views[0], to);
          value = s.dst_scale.inverted ? value * scale : value / scale;
        }
        write(dst_dtype, dst.address(static_cast<std::size_t>(s.dst_view), to, s.dst_offset + i * size),
              value);
      }
    }
  }

  void run(const KvSegment& s) const {
    const KvView& view = src.views[static_cast<std::size_t>(s.src_view)];
    const DType src_dtype = s.src_dtype.value_or(view.dtype);
    const DType dst_dtype = s.dst_dtype.value_or(dst.views[static_cast<std::size_t>(s.dst_view)].dtype);
    const auto size = static_cast<Index>(size_of(src_dtype));
    const Index row = view.content * static_cast<Index>(size_of(view.dtype));
    const Index count = s.count != 0 ? s.count : (row - s.src_offset) / size;
    const bool copies = src_dtype == dst_dtype && s.src_scale.kind == KvScaleKind::none &&
                        s.dst_scale.kind == KvScaleKind::none && s.rotate == KvRotate::none;
    if (copies) {
      copy(s, count * size);
    } else {
      convert(s, src_dtype, dst_dtype, count);
    }
  }
};

}  // namespace

int kv_move(const KvMove& move, const KvMoveArgs& args) {
  const Side<const void*> src(move.src, args.src, args.src_pointers);
  const Side<void*> dst(move.dst, args.dst, args.dst_pointers);
  const auto map = [](const KvIndex& index, const KvIndexArgs& map_args, const KvView& view, int column,
                      Index slots) {
    return Map{index, map_args, index.page_size != 0 ? index.page_size : view.block_size, column, slots};
  };
  const Map src_map = map(move.src_index, args.src_index, move.src[0], 0, slots_of(move.src, args.src));
  const Map dst_map = map(move.dst_index, args.dst_index, move.dst[0], 1, slots_of(move.dst, args.dst));
  const std::vector<KvSegment> segments = move.segments.empty() ? std::vector<KvSegment>(1) : move.segments;
  const Index layers = args.layers != 0 ? args.layers : move.src[0].layers;
  const Index planes = move.planes != 0 ? move.planes : move.src[0].planes;
  const Index heads = move.heads != 0 ? move.heads : move.src[0].heads;
  int status = 0;
  std::map<Index, Index> moved;  // destination slot -> the last token that names it
  for (Index token = args.first_token; token < args.tokens; ++token) {
    const Index from = src_map.slot(token);
    const Index to = dst_map.slot(token);
    if (from == kNegative || to == kNegative) status |= kKvNegativeIndex;
    if (from == kMissing || to == kMissing) status |= kKvIndexTooLarge;
    if (from < 0 || to < 0) continue;
    if (!moved.insert_or_assign(to, token).second) status |= kKvDuplicateSlot;
  }
  for (const auto& [to, token] : moved) {
    const Index from = src_map.slot(token);
    for (Index layer = 0; layer < layers; ++layer) {
      for (Index plane = 0; plane < planes; ++plane) {
        for (Index head = 0; head < heads; ++head) {
          const Row row{
              move,
              token,
              args,
              src,
              dst,
              {args.src_first_layer + layer, args.src_first_plane + plane, from, args.src_first_head + head},
              {args.dst_first_layer + layer, args.dst_first_plane + plane, to, args.dst_first_head + head}};
          for (const KvSegment& segment : segments) {
            if (segment.plane < 0 || segment.plane == plane) row.run(segment);
          }
        }
      }
    }
  }
  return status;
}

}  // namespace lathe::reference
