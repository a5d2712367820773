// The slab of exponentials becomes that of gradients, in place.
#pragma once

#include "cuda/cross_entropy_factors.cuh"
#include "cuda/cross_entropy_slab.cuh"

constexpr int kGradientThreads = 256;
constexpr int kGradientPack = 8;
/// A block does some rows of a few tiles of classes.
constexpr int kGradientLanes = Tile::kColumns / kGradientPack;
constexpr int kGradientRows = kGradientThreads / kGradientLanes;
constexpr int kGradientTiles = 8;

/// Of a row: how an exponential becomes a gradient.
struct GradientRow {
  RowGradient gradient;
  float target_logit;
  float target_probability;

  /// `max` is what the exponential is taken against.
  __device__ float at(const Arguments& args, int column, float power, float max, float weight) const {
    const bool is_target = column == gradient.target;
    float probability = power * exp_of(max - gradient.lse);
    float logit = 0.0f;  // of which the slope depends with a soft cap only
    if constexpr (kHasSoftCap) logit = max + fast_log2(power) * kLogOf2;
    const bool is_small = kKeepsSmall && power < 0.0f;
    if (is_small) {
      logit = max + power;
      probability = kIsF16<X> ? exp_of(logit - gradient.lse) : 0.0f;
    }
    if (is_target) {  // known as they were before they were rounded
      logit = target_logit;
      probability = target_probability;
    }
    const float slope = is_small && !is_target && !kIsF16<X> ? -power : slope_of(args, logit);
    return gradient.at(column, probability, weight, slope);
  }
};

/// A thread's elements in a tile of classes, and the rest of it, which are padding.
__device__ inline void make_gradients_of_tile(const Arguments& args, const GradientRow& row, float max,
                                              int first, X::Storage* at) {
  const int classes = chunk_classes(args);
  float elements[kGradientPack];
  load_pack<X>(at, elements);
#pragma unroll
  for (int i = 0; i < kGradientPack; ++i) {
    const int column = first + i;
    const bool exists = column < classes;
    float weight = 1.0f;
    if constexpr (kHasLabelSmoothing) weight = class_weight(args, args.first_class + (exists ? column : 0));
    elements[i] = exists ? row.at(args, column, elements[i], max, weight) : 0.0f;
  }
  store_pack<X>(at, elements);
}

__device__ inline void make_gradients(const Arguments& args) {
  const int tiles = (chunk_classes(args) + Tile::kColumns - 1) / Tile::kColumns;
  const unsigned blocks = static_cast<unsigned>((tiles + kGradientTiles - 1) / kGradientTiles);
  const int row =
      static_cast<int>(blockIdx.x / blocks) * kGradientRows + static_cast<int>(threadIdx.x) / kGradientLanes;
  if (row >= chunk_rows(args)) return;
  const Index of_all = args.first_row + row;
  const GradientRow values{gradient_of_row(args, of_all), row_value(args, kRowTargetLogit, of_all),
                           exp_of(row_value(args, kRowLogProbability, of_all))};
  const float* maxima = args.part_values + kPartMax * args.chunk_rows + row;
  const int begin = static_cast<int>(blockIdx.x % blocks) * kGradientTiles;
  const int end = begin + kGradientTiles < tiles ? begin + kGradientTiles : tiles;
#pragma unroll 1
  for (int tile = begin; tile < end; ++tile) {
    const int first = tile * Tile::kColumns + static_cast<int>(threadIdx.x) % kGradientLanes * kGradientPack;
    const float max = finite_max(maxima[Index{tile} * kPartFields * args.chunk_rows]);
    make_gradients_of_tile(args, values, max, first, slab_row(args, row) + first);
  }
}
