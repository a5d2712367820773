// rms_norm_backward for rows that are too long for the registers of a block or a cluster. First each row's
// two sums; then, in blocks that own some columns of many rows, dx and partial dw, for which dy and x are
// read again; last the sum of the partials.

#include <lathe/args.h>

#include "common/options.h"
#include "cuda/element.cuh"

// lathe:parameters
using X = Bf16;
using W = Bf16;
using Dw = Bf16;
constexpr int kHiddenSize = 262144;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr bool kWeightPerHead = false;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr bool kHasDresidual = false;
constexpr bool kLoadRstd = true;
constexpr bool kStoreDx = true;
constexpr bool kStoreDw = true;
constexpr bool kAccumulateDw = false;
constexpr int kPack = 8;          // elements per access
constexpr int kThreads = 256;     // of a block that does columns
constexpr int kRowThreads = 512;  // of a block that does a row
// lathe:end

#include "cuda/reduce.cuh"
#include "cuda/rms_norm_dw.cuh"

constexpr int kPacksPerRow = kHiddenSize / kPack;
constexpr int kColumnBlocks = (kPacksPerRow + kThreads - 1) / kThreads;

/// One read per warp. All lanes must call it.
__device__ inline float from_first_lane(const float* from) {
  return __shfl_sync(0xFFFFFFFFu, threadIdx.x % 32 == 0 ? *from : 0.0f, 0);
}

/// Behind the partial dw.
__device__ inline RowFactors* factors_of(const lathe::RmsNormBackwardArgs& args) {
  float* workspace = static_cast<float*>(args.workspace);
  return reinterpret_cast<RowFactors*>(workspace + (kStoreDw ? args.strips * kHiddenSize : 0));
}

/// One block per row, of all heads.
extern "C" __global__ void __launch_bounds__(kRowThreads)
    lathe_rms_norm_backward_rows(const __grid_constant__ lathe::RmsNormBackwardArgs args) {
  const Index unit = blockIdx.x;
  const Strip strip{kWeightPerHead ? unit % kHeads : 0, 0, 1,
                    kWeightPerHead ? args.rows : args.rows * kHeads};
  const GradientRow row = gradient_row(args, strip, kWeightPerHead ? unit / kHeads : unit);
  const auto* weight = static_cast<const W::Storage*>(args.weight) + strip.group * kHiddenSize;
  const float rstd = kLoadRstd ? from_first_lane(args.rstd + unit) : 0.0f;
  RowSums sums;
#pragma unroll 2
  for (int pack = threadIdx.x; pack < kPacksPerRow; pack += kRowThreads) {
    PackInputs inputs;
    inputs.dy.load(row.dy + pack * kPack);
    inputs.x.load(row.x + pack * kPack);
    if constexpr (kUsesWeight) inputs.weight.load(weight + pack * kPack);
    sums.add(inputs, rstd);
  }
  __shared__ float products[kRowThreads / 32];
  __shared__ float squares[kRowThreads / 32];
  sums.products = reduced_over_block<Sum, kRowThreads>(sums.products, products);
  if constexpr (!kLoadRstd) sums.squares = reduced_over_block<Sum, kRowThreads>(sums.squares, squares);
  if (threadIdx.x == 0) factors_of(args)[unit] = RowFactors::of(sums, rstd, args.epsilon);
}

/// One block per strip and some columns.
extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_rms_norm_backward(const __grid_constant__ lathe::RmsNormBackwardArgs args) {
  const Index number = blockIdx.x / kColumnBlocks;
  const int first_pack = static_cast<int>(blockIdx.x % kColumnBlocks) * kThreads;
  const int pack = first_pack + static_cast<int>(threadIdx.x);
  const bool exists = pack < kPacksPerRow;
  const Strip strip = strip_of(args, number);
  PackInputs inputs;
  if constexpr (kUsesWeight) {
    const auto* from = static_cast<const W::Storage*>(args.weight) + strip.group * kHiddenSize;
    if (exists) inputs.weight.load(from + pack * kPack);
  }
  float dw[kPack] = {};
#pragma unroll 2
  for (Index index = strip.first; index < strip.count; index += strip.step) {
    const GradientRow row = gradient_row(args, strip, index);
    RowFactors factors{};
    if constexpr (kStoreDx || !kLoadRstd) {
      const RowFactors* from = factors_of(args) + row.unit;
      factors = {from_first_lane(&from->rstd), from_first_lane(&from->mean_product)};
    } else {
      factors.rstd = from_first_lane(args.rstd + row.unit);
    }
    if (!exists) continue;
    inputs.dy.load(row.dy + pack * kPack);
    inputs.x.load(row.x + pack * kPack);
    if constexpr (kHasDresidual) inputs.dresidual.load(row.dresidual + pack * kPack);
    finish_pack(row, pack, factors, inputs, dw);
  }
  if constexpr (kStoreDw) write_partial<kThreads, 1>(args, number, first_pack, kPacksPerRow, dw);
}

extern "C" __global__ void __launch_bounds__(kSumColumns* kSumParts)
    lathe_rms_norm_backward_dw(const __grid_constant__ lathe::RmsNormBackwardArgs args) {
  if constexpr (kStoreDw) sum_partials(args);
}
