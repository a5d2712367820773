// How tools call the members of KvMoveArgs.
#pragma once

#include <array>
#include <string_view>

#include <lathe/kv_move_args.h>

namespace lathe::codegen {

/// Steps of a view's arguments, in the order of KvViewArgs.
inline constexpr std::size_t kKvSteps = 7;

/// Those of one side.
struct KvSideNames {
  template <class T>
  using PerView = std::array<T, kMaxKvViews>;

  PerView<std::string_view> views, blocks, bytes;
  PerView<std::array<std::string_view, kKvSteps>> steps;
  std::string_view last_slots;
  std::string_view index, offsets, rows, positions, entries, sequences, table_width, start;
};

inline constexpr KvSideNames kKvSrcNames{
    .views = {"src", "src1", "src2"},
    .blocks = {"src_blocks", "src1_blocks", "src2_blocks"},
    .bytes = {"src_bytes", "src1_bytes", "src2_bytes"},
    .steps = {{{"src_table_step", "src_layer_step", "src_plane_step", "src_block_step", "src_slot_step",
                "src_head_step", "src_piece_step"},
               {"src1_table_step", "src1_layer_step", "src1_plane_step", "src1_block_step", "src1_slot_step",
                "src1_head_step", "src1_piece_step"},
               {"src2_table_step", "src2_layer_step", "src2_plane_step", "src2_block_step", "src2_slot_step",
                "src2_head_step", "src2_piece_step"}}},
    .last_slots = "src_last_slots",
    .index = "src_index",
    .offsets = "src_offsets",
    .rows = "src_rows",
    .positions = "src_positions",
    .entries = "src_entries",
    .sequences = "src_sequences",
    .table_width = "src_table_width",
    .start = "src_start"};

inline constexpr KvSideNames kKvDstNames{
    .views = {"dst", "dst1", "dst2"},
    .blocks = {"dst_blocks", "dst1_blocks", "dst2_blocks"},
    .bytes = {"dst_bytes", "dst1_bytes", "dst2_bytes"},
    .steps = {{{"dst_table_step", "dst_layer_step", "dst_plane_step", "dst_block_step", "dst_slot_step",
                "dst_head_step", "dst_piece_step"},
               {"dst1_table_step", "dst1_layer_step", "dst1_plane_step", "dst1_block_step", "dst1_slot_step",
                "dst1_head_step", "dst1_piece_step"},
               {"dst2_table_step", "dst2_layer_step", "dst2_plane_step", "dst2_block_step", "dst2_slot_step",
                "dst2_head_step", "dst2_piece_step"}}},
    .last_slots = "dst_last_slots",
    .index = "dst_index",
    .offsets = "dst_offsets",
    .rows = "dst_rows",
    .positions = "dst_positions",
    .entries = "dst_entries",
    .sequences = "dst_sequences",
    .table_width = "dst_table_width",
    .start = "dst_start"};

inline constexpr std::array<std::string_view, kMaxKvScales> kKvScaleNames{"scales0", "scales1", "scales2",
                                                                          "scales3"};

}  // namespace lathe::codegen
