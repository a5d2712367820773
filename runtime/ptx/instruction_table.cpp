#include "runtime/ptx/instruction_table.h"

namespace lathe::runtime::ptx {

InstructionTable make_instruction_table() {
  InstructionTable table;
  add_integer_instructions(table);
  add_bit_instructions(table);
  add_float_instructions(table);
  add_conversion_instructions(table);
  add_comparison_instructions(table);
  add_move_instructions(table);
  add_control_instructions(table);
  add_call_instructions(table);
  add_memory_instructions(table);
  add_copy_instructions(table);
  add_matrix_instructions(table);
  add_wgmma_instructions(table);
  add_atomic_instructions(table);
  add_vote_instructions(table);
  add_reduction_instructions(table);
  add_barrier_instructions(table);
  add_mbarrier_instructions(table);
  add_cluster_instructions(table);
  return table;
}

}  // namespace lathe::runtime::ptx
