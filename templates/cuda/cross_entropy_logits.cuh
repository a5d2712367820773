// From products to logits, and to parts: their maxima and sums, per row. A warp has whole rows of a tile of
// classes, a lane four neighbouring columns of them.
#pragma once

#include "cuda/cross_entropy_block.cuh"
#include "cuda/gemm.cuh"
#include "cuda/gemm_output.cuh"
#include "cuda/reduce.cuh"

using Tile = GemmTile<128, 128, 32, kStages, 2, 4>;
using LogitsGemm = Gemm<Tile, X, Lines::along_depth, Lines::along_depth>;
using Products = GemmSums<Tile>;
constexpr int kRun = SumTile<Tile>::kRun;
static_assert(Tile::kColumns == 32 * kRun, "a warp has a row");

/// Of the chunk's rows and classes.
using HiddenLines = GatheredLines<kHiddenSize * 2>;
using WeightLines = StridedLines<kHiddenSize * 2>;

__device__ inline HiddenLines hidden_lines(const Arguments& args) {
  return {static_cast<const char*>(args.hidden), args.hidden_stride * 2, chunk_rows(args),
          args.row_tokens + args.first_row};
}
__device__ inline WeightLines weight_lines(const Arguments& args) {
  return {static_cast<const char*>(args.weight) + args.first_class * args.weight_stride * 2,
          args.weight_stride * 2, chunk_classes(args)};
}

/// Of a tile, from a row and a column of the chunk on.
__device__ inline void multiply_logits(const Arguments& args, char* shared, int first_row, int first_column,
                                       Products& products) {
  const HiddenLines hidden = hidden_lines(args);
  const WeightLines weight = weight_lines(args);
  products.clear();
  LogitsGemm::multiply(
      shared_address(shared), LogitsGemm::LeftStream<HiddenLines, kCopyBytes>(hidden, first_row),
      LogitsGemm::RightStream<WeightLines, kCopyBytes>(weight, first_column), kHiddenSize, products);
}

__device__ inline float logit_of(const Arguments& args, float product) {
  float logit = product;
  if constexpr (kHasSoftCap) logit = args.soft_cap * tanhf(logit / args.soft_cap);
  if constexpr (kHasTemperature) logit /= args.temperature;
  return logit;
}

/// d logit / d product.
__device__ inline float slope_of(const Arguments& args, float logit) {
  float slope = 1.0f;
  if constexpr (kHasSoftCap) {
    const float capped = kHasTemperature ? logit * args.temperature : logit;
    const float share = fminf(fmaxf(capped / args.soft_cap, -1.0f), 1.0f);
    slope = (1.0f - share) * (1.0f + share);
  }
  if constexpr (kHasTemperature) slope /= args.temperature;
  return slope;
}

/// A lane's columns of a tile: which there are, their biases and weights.
struct LogitColumns {
  int first;  ///< in the chunk
  int count;  ///< of those that there are
  float bias[kHasBias ? kRun : 1];
  float weight[kHasClassWeights && kHasLabelSmoothing ? kRun : 1];

  __device__ LogitColumns(const Arguments& args, int tile_column)
      : first(tile_column + static_cast<int>(threadIdx.x) % 32 * kRun), count(chunk_classes(args) - first) {
#pragma unroll
    for (int j = 0; j < kRun; ++j) {
      const Index own = args.first_class + (exists(j) ? first + j : 0);
      if constexpr (kHasBias) bias[j] = Bias::widen(static_cast<const Bias::Storage*>(args.bias)[own]);
      if constexpr (kHasClassWeights && kHasLabelSmoothing) weight[j] = class_weight(args, own);
    }
  }

  __device__ bool exists(int j) const { return j < count; }
  __device__ float weight_of(int j) const {
    if constexpr (kHasClassWeights && kHasLabelSmoothing) return weight[j];
    return 1.0f;
  }

  /// Products become logits; those of classes that there are not, minus infinity.
  __device__ void make_logits(const Arguments& args, float (&values)[kRun]) const {
#pragma unroll
    for (int j = 0; j < kRun; ++j) {
      if constexpr (kHasBias) values[j] += bias[j];
      values[j] = exists(j) ? logit_of(args, values[j]) : kMinusInfinity;
    }
  }
};

/// Of a row in a tile. All lanes of its warp call it with their logits, which become exp(logit - maximum).
__device__ inline Part part_of_row(const Arguments& args, const LogitColumns& columns,
                                   float (&values)[kRun]) {
  Part part;
#pragma unroll
  for (int j = 0; j < kRun; ++j) part.max = fmaxf(part.max, values[j]);
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2)
    part.max = fmaxf(part.max, __shfl_xor_sync(0xFFFFFFFFu, part.max, distance));
  const float subtrahend = finite_max(part.max);
  if constexpr (kHasArgmax) {
    int own = 0;  // in the tile; of a row of NaN, none is the largest
    bool is_here = false;
#pragma unroll
    for (int j = kRun - 1; j >= 0; --j) {
      if (values[j] == part.max && columns.exists(j)) {
        own = j;
        is_here = true;
      }
    }
    const unsigned votes = __ballot_sync(0xFFFFFFFFu, is_here);
    const int lane = votes == 0 ? 0 : __ffs(static_cast<int>(votes)) - 1;
    part.argmax = static_cast<float>(__shfl_sync(0xFFFFFFFFu, args.first_class + columns.first + own, lane));
  }
#pragma unroll
  for (int j = 0; j < kRun; ++j) {
    const float shifted = values[j] - subtrahend;
    const float power = exp_of(shifted);
    if constexpr (kHasLabelSmoothing) {
      // 0 times minus infinity would be no number.
      if (columns.exists(j) && columns.weight_of(j) != 0.0f)
        part.weighted += columns.weight_of(j) * values[j];
    }
    if constexpr (kStoreEntropy) part.entropy += power == 0.0f ? 0.0f : power * shifted;
    part.sum += power;
    values[j] = power;
  }
  part.sum = sum_over_lanes<32>(part.sum);
  if constexpr (kHasLabelSmoothing) part.weighted = sum_over_lanes<32>(part.weighted);
  if constexpr (kStoreEntropy) part.entropy = sum_over_lanes<32>(part.entropy);
  return part;
}

/// In shared memory: a part per row, which one lane of the row's warp writes.
struct RowParts {
  float fields[kPartFields][Tile::kRows];

  __device__ void store(int row, Part part) {
    for_each_field(part, [&](int field, float value) { fields[field][row] = value; });
  }
  __device__ Part load(int row) {
    Part part;
    for_each_field(part, [&](int field, float& value) { value = fields[field][row]; });
    return part;
  }

  /// To the workspace, when all rows' are known.
  __device__ void store_all(const Arguments& args, Index number, int first_row) const {
    __syncthreads();
    const int rows = chunk_rows(args) - first_row;
    float* to = args.part_values + number * kPartFields * args.chunk_rows + first_row;
#pragma unroll 1
    for (int i = threadIdx.x; i < kPartFields * Tile::kRows; i += Tile::kThreads) {
      const int row = i % Tile::kRows;
      if (row < rows) to[i / Tile::kRows * args.chunk_rows + row] = fields[i / Tile::kRows][row];
    }
  }
};

/// In shared memory: the targets of a tile's rows as columns of the chunk; -1 for those that are none of its
/// classes.
struct TargetColumns {
  int columns[Tile::kRows];

  /// A barrier must stand between this and their use.
  __device__ void load(const Arguments& args, int first_row) {
    const int rows = chunk_rows(args) - first_row;
    const int row = threadIdx.x;
    if (row >= Tile::kRows) return;
    columns[row] = row < rows ? target_column(args, args.first_row + first_row + row) : -1;
  }

  /// If it is among the lane's columns, its logit is stored.
  __device__ void store_logit(const Arguments& args, int first_row, int row, const LogitColumns& lane,
                              const float (&logits)[kRun]) const {
    const int at = columns[row] - lane.first;
#pragma unroll
    for (int j = 0; j < kRun; ++j) {
      if (at == j) row_value(args, kRowTargetLogit, args.first_row + first_row + row) = logits[j];
    }
  }
};
