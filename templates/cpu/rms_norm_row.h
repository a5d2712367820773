// What rms_norm does with a row on the CPU. A row is read twice: once for its sum of squares, once, from the
// first-level cache, to be scaled. The residual sum is formed both times, so that no scratch row is needed
// and outputs may alias inputs. Included after the parameter block of a template, whose names it uses.
#pragma once

#include "common/options.h"
#include "cpu/element.h"
#include "cpu/rms_norm_statistics.h"

using lathe::Index;

namespace {

constexpr int kVectors = kHiddenSize / kLanes;
constexpr int kTail = kHiddenSize % kLanes;
constexpr bool kHasResidual = kResidual != Residual::none;
/// Elements that share a scale in OutputScale::per_block.
constexpr int kScaleBlock = 128;
/// In Casting::none every step is rounded to the element type.
constexpr bool kRoundSteps = kCasting == Casting::none;
/// Outputs beyond this do not stay in the caches anyway; writing past them spares reading the lines first.
constexpr Index kStreamingBytes = Index{8} << 20;

struct Row {
  const X::Storage* x;
  const X::Storage* residual_in;
  X::Storage* residual_out;
  Y::Storage* y;
  const W::Storage* weight;
};

inline Floats rounded_if(bool rounds, Floats values) {
  return rounds ? X::round(values) : values;
}

/// What is normalised: x, or the residual sum.
inline Floats summed(Floats x, Floats residual) {
  return rounded_if(kResidual == Residual::round_then_norm || kRoundSteps, x + residual);
}

inline Floats load_vector(const Row& row, int at) {
  const Floats x = X::load(row.x + at);
  if constexpr (kHasResidual) return summed(x, X::load(row.residual_in + at));
  return x;
}

inline Floats load_tail(const Row& row) {
  constexpr int at = kVectors * kLanes;
  const Floats x = X::load_tail(row.x + at, kTail);
  if constexpr (kHasResidual) return summed(x, X::load_tail(row.residual_in + at, kTail));
  return x;
}

inline Floats plus_square(Floats sum, Floats values) {
  if constexpr (kRoundSteps) return sum + X::round(values * values);
  return sum + values * values;  // one statement, so that it may fuse
}

/// In blocks of 64 vectors, each with four sums of its own, so that four additions are under way at a time.
/// What adding a block to the total rounds away is kept and added too: the error does not grow with the row.
inline float sum_of_squares(const Row& row) {
  constexpr int kBlock = 64;
  Floats total = 0.0f;
  Floats lost = 0.0f;
  for (int begin = 0; begin < kVectors; begin += kBlock) {
    const int end = begin + kBlock < kVectors ? begin + kBlock : kVectors;
    Floats sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    int i = begin;
    for (; i + 4 <= end; i += 4) {
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; ++j) sums[j] = plus_square(sums[j], load_vector(row, (i + j) * kLanes));
    }
    for (; i < end; ++i) sums[0] = plus_square(sums[0], load_vector(row, i * kLanes));
    const Floats block = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    const Floats before = total;
    total += block;
    lost += block - (total - before);
  }
  // What is lost next to infinity is no number.
  if constexpr (kVectors > kBlock) total = total - total == 0.0f ? total + lost : total;
  if constexpr (kTail != 0) total = plus_square(total, load_tail(row));
  return sum_of_lanes(total);
}

/// y before it is scaled: times rstd, times weight, with the roundings that the casting mode puts between
/// them.
inline Floats scaled(Floats values, float rstd, Floats weight) {
  const Floats normal = rounded_if(kCasting != Casting::gemma, values * rstd);
  const Floats result = kHasWeight ? normal * weight : normal;
  return rounded_if(kRoundToDtype, result);  // else rounded when it is stored
}

inline Floats shifted_weight(Floats loaded) {
  const Floats weight = plain_for<X, W>(in_order_of<X, W>(loaded));
  if constexpr (kWeightOffset == 0.0f) return rounded_if(kRoundSteps, weight);
  return rounded_if(kRoundSteps, weight + kWeightOffset);
}

inline Floats weight_at(const Row& row, int at) {
  if constexpr (kHasWeight) return shifted_weight(W::load(row.weight + at));
  return 1.0f;
}

inline Floats weight_tail(const Row& row) {
  if constexpr (kHasWeight) return shifted_weight(W::load_tail(row.weight + kVectors * kLanes, kTail));
  return 1.0f;
}

/// In the order and with the NaNs that Y's elements are rounded with.
inline Floats as_output(Floats values, float inverse) {
  if constexpr (kScale != OutputScale::none) values = values * inverse;
  return plain_for<Y, X>(in_order_of<Y, X>(values));
}

inline Row row_at(const lathe::RmsNormArgs& args, Index unit) {
  const Index token = unit / kHeads;
  const Index head = unit % kHeads;
  const auto at = [&](auto* base, Index row_stride, Index head_stride) {
    return base + token * row_stride + head * head_stride;
  };
  using In = const X::Storage*;
  Row row{.x = at(static_cast<In>(args.x), args.x_row_stride, args.x_head_stride),
          .residual_in = nullptr,
          .residual_out = nullptr,
          .y = at(static_cast<Y::Storage*>(args.y), args.y_row_stride, args.y_head_stride),
          .weight = static_cast<const W::Storage*>(args.weight)};
  if constexpr (kWeightPerHead) row.weight += head * kHiddenSize;
  if constexpr (kHasResidual) {
    row.residual_in =
        at(static_cast<In>(args.residual_in), args.residual_in_row_stride, args.residual_in_head_stride);
    row.residual_out = at(static_cast<X::Storage*>(args.residual_out), args.residual_out_row_stride,
                          args.residual_out_head_stride);
  }
  return row;
}

}  // namespace
