// What kernels that move rows of a key-value cache know of views, indices and segments when they are
// compiled. The enums' names are those of the spec.
#pragma once

#include <lathe/args.h>

enum class KvBase { single, layer, plane_layer, chunk, chunk_layer };
enum class KvPlace { device, host };
enum class KvIndexKind { identity, slots, blocks, pairs, block_table, pages };
enum class KvBadIndex { skip, report, unchecked };
enum class KvDuplicates { last, report, unchecked };
enum class KvScaleKind { none, table, stored };
enum class KvScaleType { f32, ue8m0, f32_power_of_two };
enum class KvRotate { none, forward, delta };
enum class KvType { bytes, f32, f16, bf16, e4m3, e5m2 };

/// A view. Steps are bytes; -1: given with each launch.
struct ViewFacts {
  KvBase base{};
  bool shares_base{};  ///< with the side's first view
  bool by_value{};     ///< the table travels with the arguments
  KvPlace place{};
  lathe::Index layers{};
  lathe::Index block_size{};
  lathe::Index layer_step{};
  lathe::Index plane_step{};
  lathe::Index block_step{};
  lathe::Index slot_step{};
  lathe::Index head_step{};
  lathe::Index piece_step{};
  lathe::Index piece_bytes{};  ///< of the content that lie together
  lathe::Index offset{};
  bool layer_shrinks{};  ///< in a short last chunk, the step between layers counts the slots that it has
  bool plane_shrinks{};
};

struct IndexFacts {
  KvIndexKind kind{};
  bool is_wide{};  ///< of 64 bits
  lathe::Index page_size{};
  int column{};  ///< of pairs
};

struct ScaleFacts {
  KvScaleKind kind{};
  int table{};
  lathe::Index first{};
  lathe::Index layer_step{};  ///< elements of the table
  lathe::Index plane_step{};
  lathe::Index head_step{};
  bool inverted{};
  int group{};  ///< elements that share a stored one
  KvScaleType type{};
  int view{};
  lathe::Index offset{};
  float amax_floor{};
};

/// A segment. Elements that are not converted are bytes.
struct SegmentFacts {
  KvType src_type{};
  KvType dst_type{};
  int src_view{};
  int dst_view{};
  int plane{};  ///< -1: all
  lathe::Index src_offset{};
  lathe::Index dst_offset{};
  lathe::Index count{};
  int width{};  ///< bytes per access of a copy; elements of a conversion
  ScaleFacts src_scale{};
  ScaleFacts dst_scale{};
  KvRotate rotate{};
  lathe::Index rotate_offset{};
};

struct RotationFacts {
  int dim{};
  bool is_half{};  ///< pairs are dim / 2 apart; else neighbours
  bool is_wide{};  ///< positions of 64 bits
  float attention_factor{};
};
