// rms_norm, forward, with an fp8 y of one scale, for NVIDIA GPUs of sm_80 and up: the largest magnitude of
// each block, of all, then what cuda/rms_norm.cu does.

#include <lathe/args.h>

#include "common/options.h"
#include "cuda/element.cuh"

// lathe:parameters
using X = Bf16;
using W = Bf16;
using Y = E4m3;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr bool kWeightPerHead = false;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr Residual kResidual = Residual::none;
constexpr bool kStoreRstd = false;
constexpr OutputScale kScale = OutputScale::per_tensor;
constexpr bool kRoundToDtype = false;
constexpr int kPack = 8;             // elements per access
constexpr int kThreadsPerRow = 256;  // of one block
constexpr int kRowsPerBlock = 1;
constexpr int kClusterBlocks = 1;
constexpr bool kInRegisters = true;
// lathe:end

#include "cuda/rms_norm_output.cuh"

/// Over all threads of a block.
template <int kCount>
__device__ inline float largest_of_block(float value) {
  __shared__ float of_warp[kCount / 32];
  return reduced_over_block<Max, kCount>(value, of_warp);
}

/// As many blocks as run at a time, each with every so manieth row.
extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_rms_norm_amax(const __grid_constant__ lathe::RmsNormArgs args) {
  const Index row_blocks = (args.rows * kHeads + kRowsPerBlock - 1) / kRowsPerBlock;
  float largest = 0.0f;
  for (Index block = blockIdx.x / kClusterBlocks; block < row_blocks; block += gridDim.x / kClusterBlocks) {
    const Row row = row_of_block(args, block);
    float values[kHeld][kPack];
    const float rstd = load_row(row, args.epsilon, values);
    for_each_pack(row, values, [&](int pack, float(&loaded)[kPack]) {
      normalize(row, pack, rstd, loaded);
      largest = fmaxf(largest, magnitude_of(loaded));
    });
    row_barrier();
  }
  largest = largest_of_block<kThreads>(largest);
  if (threadIdx.x == 0) static_cast<float*>(args.workspace)[blockIdx.x] = largest;
}

constexpr int kScaleThreads = 256;

extern "C" __global__ void __launch_bounds__(kScaleThreads)
    lathe_rms_norm_scale(const __grid_constant__ lathe::RmsNormArgs args) {
  const auto* partial = static_cast<const float*>(args.workspace);
  float largest = 0.0f;
  for (Index i = threadIdx.x; i < args.partials; i += kScaleThreads) largest = fmaxf(largest, partial[i]);
  largest = largest_of_block<kScaleThreads>(largest);
  if (threadIdx.x == 0) *args.y_scale_out = scale_for<Y>(largest, args.amax_floor);
}

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_rms_norm(const __grid_constant__ lathe::RmsNormArgs args) {
  const Row row = row_of_block(args, blockIdx.x / kClusterBlocks);
  float values[kHeld][kPack];
  const float rstd = load_row(row, args.epsilon, values);
  if constexpr (kStoreRstd) {
    if (row.is_leader()) args.rstd[row.unit] = rstd;
  }
  write_row(row, rstd, 1.0f / *args.y_scale_out, values);
  // No block may exit, and free its shared memory, while another still reads it.
  if constexpr (kClusterBlocks > 1) row_barrier();
}
