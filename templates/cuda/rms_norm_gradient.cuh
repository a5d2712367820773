// What the kernels of rms_norm_backward share: which rows a block does, and the gradient of one element.
// Included after the parameter block of a template, whose names it uses.
#pragma once

#include "common/options.h"
#include "cuda/pack.cuh"
#include "cuda/rms_norm_statistics.cuh"

using lathe::Index;

constexpr bool kRoundSteps = kCasting == Casting::none;
/// Whether dx needs the weight.
constexpr bool kUsesWeight = kHasWeight && kStoreDx;
/// Groups of rows that each have a dw of their own.
constexpr Index kGroups = kWeightPerHead ? kHeads : 1;
/// The host chooses packs that divide the row, so there is no tail within a pack.
static_assert(kHiddenSize % kPack == 0, "a pack must not reach beyond the row");

/// The rows of a group whose dw are summed together: first, first + step, ... below count.
struct Strip {
  Index group;
  Index first;
  Index step;
  Index count;
};

__device__ inline Strip strip_of(const lathe::RmsNormBackwardArgs& args, Index number) {
  return {number % kGroups, number / kGroups, args.strips / kGroups,
          kWeightPerHead ? args.rows : args.rows * kHeads};
}

struct GradientRow {
  const X::Storage* dy;
  const X::Storage* x;
  const X::Storage* dresidual;
  X::Storage* dx;
  Index unit;   ///< token * heads + head
  bool exists;  ///< a block may have fewer rows than it could do; all its threads take part in reductions
};

/// The row of that index in the strip's group.
__device__ inline GradientRow gradient_row(const lathe::RmsNormBackwardArgs& args, const Strip& strip,
                                           Index index) {
  GradientRow row{};
  row.exists = index < strip.count;
  if (!row.exists) index = 0;
  const Index token = kWeightPerHead ? index : index / kHeads;
  const Index head = kWeightPerHead ? strip.group : index % kHeads;
  row.unit = token * kHeads + head;
  row.dy = static_cast<const X::Storage*>(args.dy) + token * args.dy_row_stride + head * args.dy_head_stride;
  row.x = static_cast<const X::Storage*>(args.x) + token * args.x_row_stride + head * args.x_head_stride;
  if constexpr (kHasDresidual) {
    row.dresidual = static_cast<const X::Storage*>(args.dresidual) + token * args.dresidual_row_stride +
                    head * args.dresidual_head_stride;
  }
  if constexpr (kStoreDx) {
    row.dx = static_cast<X::Storage*>(args.dx) + token * args.dx_row_stride + head * args.dx_head_stride;
  }
  return row;
}

__device__ inline float rounded_if(bool rounds, float value) {
  return rounds ? rounded<X>(value) : value;
}

using XPack = Packed<X, kPack>;
using WPack = Packed<W, kPack>;

/// What is read for one pack of a row.
struct PackInputs {
  XPack dy;
  XPack x;
  XPack dresidual;
  WPack weight;
};

/// g = dy * (weight + offset), in place of dy.
__device__ inline void times_weight(const WPack& weight, float (&dy)[kPack]) {
  if constexpr (kHasWeight) {
    float w[kPack];
    weight.unpack(w);
#pragma unroll
    for (int i = 0; i < kPack; ++i) dy[i] *= rounded_if(kRoundSteps, w[i] + kWeightOffset);
  }
}

/// A thread's part of the two sums that a row needs: of g times x, or times n where rstd is known before; and
/// of the squares of x, where it is not.
struct RowSums {
  float products = 0.0f;
  float squares = 0.0f;

  __device__ void add(const PackInputs& inputs, float rstd) {
    float g[kPack];
    float x[kPack];
    inputs.dy.unpack(g);
    inputs.x.unpack(x);
    if constexpr (kStoreDx) times_weight(inputs.weight, g);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      if constexpr (kStoreDx) products += g[i] * (kLoadRstd ? x[i] * rstd : x[i]);
      if constexpr (!kLoadRstd) squares += rounded_if(kRoundSteps, x[i] * x[i]);
    }
  }
};

/// What a row's elements have in common.
struct RowFactors {
  float rstd;
  float mean_product;  ///< sum(g * n) / hidden size

  __device__ static RowFactors of(const RowSums& sums, float loaded_rstd, float epsilon) {
    if constexpr (kLoadRstd) {
      return {loaded_rstd, sums.products / kHiddenSize};
    } else {
      const float rstd = reciprocal_root<X, kRoundSteps>(sums.squares, kHiddenSize, epsilon);
      return {rstd, sums.products * rstd / kHiddenSize};
    }
  }
};

/// Adds the pack's part of dw and writes its dx.
__device__ inline void finish_pack(const GradientRow& row, int pack, const RowFactors& factors,
                                   const PackInputs& inputs, float (&dw)[kPack]) {
  float g[kPack];
  float n[kPack];
  inputs.dy.unpack(g);
  inputs.x.unpack(n);
#pragma unroll
  for (int i = 0; i < kPack; ++i) {
    n[i] *= factors.rstd;
    if constexpr (kStoreDw) dw[i] += g[i] * rounded_if(kCasting != Casting::gemma, n[i]);
  }
  if constexpr (kStoreDx) {
    times_weight(inputs.weight, g);
    float dx[kPack];
    if constexpr (kHasDresidual) inputs.dresidual.unpack(dx);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      const float own = factors.rstd * (g[i] - n[i] * factors.mean_product);
      dx[i] = kHasDresidual ? own + dx[i] : own;
    }
    store_pack<X>(row.dx + pack * kPack, dx);
  }
}
