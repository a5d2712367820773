// A softmax of logits that come a tile at a time. Logits and sums are in base 2.
#pragma once

#include "cpu/attention_logits.h"

/// Of kRows rows: the largest logit so far and the sum of 2^(logit - largest), one per lane.
template <int kRows>
struct SoftmaxRows {
  float largest[kRows];
  float factor[kRows];  ///< what the last tile multiplies sums of earlier ones with
  alignas(64) float sums[kRows * kRegisterLanes];

  void clear(int rows) {
    for (int i = 0; i < rows; ++i) {
      largest[i] = kMinusInfinity;
      store_register(sums + i * kRegisterLanes, RegisterFloats(0.0f));
    }
  }

  float sum(int row) const { return sum_in_lanes(load_register(sums + row * kRegisterLanes))[0]; }
};

/// What a logit is compared with. Minus infinity less itself were no number.
inline float subtrahend(float largest) {
  return largest == kMinusInfinity ? 0.0f : largest;
}

/// Logits become weights.
template <int kRows>
inline void add_tile(SoftmaxRows<kRows>& softmax, int row, TileLogits& logits) {
  RegisterFloats most = logits.at[0];
#pragma clang loop unroll(full)
  for (int i = 1; i < kTileRegisters; ++i) most = larger(logits.at[i], most);
  const float before = softmax.largest[row];
  const float here = largest_in_lanes(most)[0];
  const float largest = here > before ? here : before;
  const float base = subtrahend(largest);
  const float factor = exp2_of(before - base);
  RegisterFloats sum = load_register(softmax.sums + row * kRegisterLanes) * factor;
#pragma clang loop unroll(full)
  for (int i = 0; i < kTileRegisters; ++i) {
    logits.at[i] = exp2_of(logits.at[i] - base);
    sum += logits.at[i];
  }
  store_register(softmax.sums + row * kRegisterLanes, sum);
  softmax.largest[row] = largest;
  softmax.factor[row] = factor;
}

/// Sums of a row: 2^largest * sum is the sum of all exponentials.
struct SoftmaxSum {
  float largest;
  float sum;

  /// Of one more, 2^logit. Returns what weighted sums have to be multiplied with.
  float add(float logit) {
    const float most = logit > largest ? logit : largest;
    const float base = subtrahend(most);
    const float factor = exp2_of(largest - base);
    sum = sum * factor + exp2_of(logit - base);
    largest = most;
    return factor;
  }
  /// 0 for a row that saw nothing.
  float reciprocal() const { return sum == 0.0f ? 0.0f : 1.0f / sum; }
  float log2() const { return sum == 0.0f ? kMinusInfinity : largest + __builtin_log2f(sum); }
};
