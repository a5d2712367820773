// Opcodes and how each is decoded.
#pragma once

#include <map>
#include <string_view>

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

struct Opcode {
  Decode decode = nullptr;
  StepClass step_class = StepClass::arithmetic;
};

using InstructionTable = std::map<std::string_view, Opcode>;

/// One function per group of instructions; each adds its opcodes.
void add_integer_instructions(InstructionTable& table);  ///< add, mul, div, min, dp4a ... of integers
void add_bit_instructions(InstructionTable& table);      ///< and, shl, bfe, prmt, lop3, popc ...
void add_float_instructions(InstructionTable& table);    ///< fma, sqrt, ex2, tanh ...; add, mul ... of floats
void add_conversion_instructions(InstructionTable& table);  ///< cvt
void add_comparison_instructions(InstructionTable& table);  ///< setp, set, selp, slct, testp
void add_move_instructions(InstructionTable& table);        ///< mov, cvta, isspacep, clocks
void add_control_instructions(InstructionTable& table);     ///< bra, call, ret, exit, trap
void add_call_instructions(InstructionTable& table);        ///< call
void add_memory_instructions(InstructionTable& table);      ///< ld, st, prefetch, discard
void add_copy_instructions(InstructionTable& table);        ///< cp.async
void add_matrix_instructions(InstructionTable& table);      ///< mma, ldmatrix, stmatrix, movmatrix
void add_wgmma_instructions(InstructionTable& table);       ///< wgmma, setmaxnreg
void add_atomic_instructions(InstructionTable& table);      ///< atom, red
void add_vote_instructions(InstructionTable& table);        ///< shfl, vote, match, elect, activemask
void add_reduction_instructions(InstructionTable& table);   ///< redux
void add_barrier_instructions(InstructionTable& table);     ///< bar, barrier, membar, fence
void add_mbarrier_instructions(InstructionTable& table);    ///< mbarrier
void add_cluster_instructions(InstructionTable& table);     ///< mapa, getctarank
Execute decode_cluster_barrier(Decoding& decoding);         ///< the rest of barrier.cluster
Execute decode_proxy_fence(Decoding& decoding);             ///< of fence.proxy
Execute decode_copy_arrival(Decoding& decoding);            ///< of cp.async.mbarrier
Execute decode_bulk_copy(Decoding& decoding);               ///< of cp.async.bulk
Execute decode_bulk_reduction(Decoding& decoding);          ///< of cp.reduce.async.bulk
Execute decode_tensor_copy(Decoding& decoding);             ///< of cp.async.bulk.tensor
Execute decode_tensor_reduction(Decoding& decoding);        ///< of cp.reduce.async.bulk.tensor
Execute decode_tensor_prefetch(Decoding& decoding);         ///< of cp.async.bulk.prefetch.tensor
Execute decode_tensor_map_prefetch(Decoding& decoding);     ///< of prefetch.tensormap
Execute decode_async_store(Decoding& decoding);             ///< of st.async
Execute decode_async_reduction(Decoding& decoding);         ///< of red.async

/// All of them.
InstructionTable make_instruction_table();

}  // namespace lathe::runtime::ptx
