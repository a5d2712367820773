// The two stages of dw in rms_norm_backward: strips of rows leave partial sums in the workspace, [strips,
// hidden], which are summed in a fixed order. Included after the parameter block of a template, whose names
// it uses.
#pragma once

#include "cuda/rms_norm_gradient.cuh"

/// Writes the part of a strip's partial dw that begins at pack `first_pack` and is one pack per thread of a
/// row wide. Each of kRows groups of kRowThreads threads has summed rows of its own; here they are added:
/// those of a warp by shuffles, those of several warps in shared memory, through which the writes are
/// coalesced too. All threads of the block must call it.
template <int kRowThreads, int kRows>
__device__ inline void write_partial(const lathe::RmsNormBackwardArgs& args, Index strip, int first_pack,
                                     int last_pack, float (&dw)[kPack]) {
  static_assert(kRows == 1 || kRowThreads <= 32, "the groups of several warps are not told apart");
  constexpr int kParts = kRows == 1 ? 1 : kRows * kRowThreads / 32;
  constexpr int kWidth = kRowThreads * kPack;
  // Element i of all packs side by side, so far apart that neither writing nor reading has bank conflicts.
  constexpr int kStride = (kRowThreads > 32 ? kRowThreads : 32) + (kPack > 1 ? 32 / kPack : 0);
  constexpr int kPartStride = kPack * kStride;
  __shared__ float staged[kParts * kPartStride];
#pragma unroll
  for (int distance = kRowThreads; distance < 32 && kRows > 1; distance *= 2) {
#pragma unroll
    for (int i = 0; i < kPack; ++i) dw[i] += __shfl_xor_sync(0xFFFFFFFFu, dw[i], distance);
  }
  if (kRowThreads >= 32 || threadIdx.x % 32 < kRowThreads) {
    const int part = kParts > 1 ? static_cast<int>(threadIdx.x) / 32 : 0;
    const int own = part * kPartStride + static_cast<int>(threadIdx.x) % kRowThreads;
#pragma unroll
    for (int i = 0; i < kPack; ++i) staged[own + i * kStride] = dw[i];
  }
  __syncthreads();
  float* partial = static_cast<float*>(args.workspace) + strip * kHiddenSize;
  for (int i = threadIdx.x; i < kWidth; i += kRowThreads * kRows) {
    const int column = first_pack * kPack + i;
    if (column >= last_pack * kPack) break;
    const int place = i % kPack * kStride + i / kPack;
    float sum = staged[place];
#pragma unroll
    for (int part = 1; part < kParts; ++part) sum += staged[part * kPartStride + place];
    partial[column] = sum;
  }
  __syncthreads();
}

/// Threads of a block that sums partials: a warp of columns, and as many parts of the strips.
constexpr int kSumColumns = 32;
constexpr int kSumParts = 8;

/// dw of 32 columns of one group.
__device__ inline void sum_partials(const lathe::RmsNormBackwardArgs& args) {
  constexpr int kBlocksPerGroup = (kHiddenSize + kSumColumns - 1) / kSumColumns;
  __shared__ float parts[kSumParts][kSumColumns];
  const int lane = threadIdx.x % kSumColumns;
  const int part = threadIdx.x / kSumColumns;
  const Index group = blockIdx.x / kBlocksPerGroup;
  const int column = static_cast<int>(blockIdx.x % kBlocksPerGroup) * kSumColumns + lane;
  const bool exists = column < kHiddenSize;
  // Without rows there are no strips, and the sum is 0.
  const Index strips = args.rows == 0 ? 0 : args.strips / kGroups;
  const float* partial = static_cast<const float*>(args.workspace) + group * kHiddenSize + column;
  float sum = 0.0f;
#pragma unroll 4
  for (Index strip = part; exists && strip < strips; strip += kSumParts)
    sum += partial[strip * kGroups * kHiddenSize];
  parts[part][lane] = sum;
  __syncthreads();
  if (part != 0 || !exists) return;
#pragma unroll
  for (int i = 1; i < kSumParts; ++i) sum += parts[i][lane];
  auto* dw = static_cast<Dw::Storage*>(args.dw) + group * kHiddenSize + column;
  if constexpr (kAccumulateDw) sum += Dw::widen(*dw);
  *dw = Dw::narrow(sum);
}
