// rms_norm, forward, for NVIDIA GPUs of sm_80 and up. One template, four shapes of work:
//  - short rows: several per warp or block, a group of lanes each;
//  - rows of up to 32768 elements: one block each, the row in registers between its two uses;
//  - longer rows where there are clusters: one cluster each, a slice of the row in the registers of every
//  block;
//  - longer rows elsewhere: one block each, which reads the row a second time, mostly from L2.

#include <lathe/args.h>

#include "common/options.h"
#include "cuda/element.cuh"

// lathe:parameters
using X = Bf16;
using W = Bf16;
using Y = Bf16;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr bool kWeightPerHead = false;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr Residual kResidual = Residual::none;
constexpr bool kStoreRstd = false;
constexpr OutputScale kScale = OutputScale::none;
constexpr bool kRoundToDtype = false;
constexpr int kPack = 8;             // elements per access
constexpr int kThreadsPerRow = 256;  // of one block
constexpr int kRowsPerBlock = 1;
constexpr int kClusterBlocks = 1;
constexpr bool kInRegisters = true;
// lathe:end

#include "cuda/rms_norm_output.cuh"

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_rms_norm(const __grid_constant__ lathe::RmsNormArgs args) {
  const Row row = row_of_block(args, blockIdx.x / kClusterBlocks);
  float values[kHeld][kPack];
  const float rstd = load_row(row, args.epsilon, values);
  if constexpr (kStoreRstd) {
    if (row.is_leader()) args.rstd[row.unit] = rstd;
  }
  if constexpr (kScale == OutputScale::per_row) {
    write_row_scaled(args, row, rstd, values);
  } else if constexpr (kScale == OutputScale::per_block) {
    write_row_in_blocks(args, row, rstd, values);
  } else {
    float inverse = 1.0f;
    if constexpr (kScale == OutputScale::given) inverse = 1.0f / *args.y_scale_in;
    write_row(row, rstd, inverse, values);
  }
  // No block may exit, and free its shared memory, while another still reads it.
  if constexpr (kClusterBlocks > 1) row_barrier();
}
