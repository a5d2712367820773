// From products to logits: scale, soft cap, slopes, the spec's hook, and which keys a row sees.
#pragma once

#include "common/tanh_series.h"
#include "cuda/attention_products.cuh"
#include "cuda/ptx/computed_here.cuh"
#include "cuda/ptx/exp2.cuh"
#include "user/attention_hooks.h"

/// Logits are kept times log2(e), so that weights are powers of two; hooks get them as they are.
constexpr float kLogitUnit = kHasLogitsHook ? 1.0f : kLog2E;

/// The keys that a row sees, as far as mask and window say: one after the other.
struct KeyRange {
  int begin;
  int end;

  __device__ KeyRange(const lathe::AttentionArgs& args, const Block& block, int query)
      : begin(0), end(block.work.kv_end) {
    // The last query stands at the last key.
    const int place = query - block.request.query_length + block.request.kv_length;
    if constexpr (kMask == Mask::causal) end = place + 1 < end ? place + 1 : end;
    if constexpr (kHasWindow)
      begin = args.window_left < place ? place - static_cast<int>(args.window_left) : 0;
  }
};

/// A warp's rows and what they see.
class LogitRows {
 public:
  __device__ LogitRows(const lathe::AttentionArgs& args, const Block& block, const WarpPlace& warp)
      : args_(args),
        block_(block),
        first_row_(block.work.row_begin + warp.fragment_row(0)),
        scale_(args.softmax_scale * (kHasKeyHook ? 1.0f : k_scale_of(args, block.kv_head))),
        first_(args, block, (block.work.row_begin + warp.row) / kGroup),
        last_(args, block, (block.work.row_begin + warp.row + kWarpRows - 1) / kGroup) {
    if constexpr (kHasSoftCap) scale_ /= args.soft_cap;
    if constexpr (!kHasSoftCap) scale_ *= kLogitUnit;
  }

  /// False: none of the rows sees any of the warp's keys of a tile.
  __device__ bool see_any(int first_key) const {
    return first_key < last_.end && first_key + kWarpKeys > first_.begin;
  }

  /// From products to logits, those of keys that a row does not see -infinity. `first_key` is the warp's in
  /// the request, `column` the lane's first.
  __device__ void finish(int first_key, int column, Logits& logits) const {
    const bool all_seen = kMask != Mask::custom && !kHasMaskHook && first_key >= last_.begin &&
                          first_key + kWarpKeys <= first_.end;
#pragma unroll
    for (int i = 0; i < kRowFragments; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const RowPlace row(first_row_ + i * 16 + half * 8, block_.kv_head);
        transform(row, first_key + column, half * 2, logits.values[i]);
      }
    }
    if (all_seen) return;
    // At some tiles only: no registers are kept for it meanwhile.
    const int first_row = computed_here(first_row_);
#pragma unroll
    for (int i = 0; i < kRowFragments; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const RowPlace row(first_row + i * 16 + half * 8, block_.kv_head);
        hide(row, first_key + column, half * 2, logits.values[i]);
      }
    }
  }

 private:
  __device__ void transform(const RowPlace& row, int first_key, int at,
                            float (&logits)[kKeyFragments][4]) const {
    float slope = 0.0f;
    if constexpr (kHasAlibi) slope = args_.alibi_slopes[row.head] * kLogitUnit;
#pragma unroll
    for (int j = 0; j < kKeyFragments; ++j) {
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const int key = first_key + j * 8 + k;
        float logit = logits[j][at + k] * scale_;
        if constexpr (kHasSoftCap) logit = args_.soft_cap * kLogitUnit * tanh_of(logit);
        if constexpr (kHasAlibi) logit += slope * static_cast<float>(key - row.query);
        if constexpr (kHasLogitsHook) {
          // It may look something up by these numbers.
          const bool exists = row.exists(block_.request) && key < block_.work.kv_end;
          if (exists) logit = logits_hook(logit, place_of(block_, row, key), args_.hook_data) * kLog2E;
        }
        logits[j][at + k] = logit;
      }
    }
  }

  __device__ void hide(const RowPlace& row, int first_key, int at, float (&logits)[kKeyFragments][4]) const {
    const KeyRange range(args_, block_, row.query);
    // Counted from the first: what they are compared with are constants then.
    const int begin = range.begin - first_key;
    const int end = range.end - first_key;
#pragma unroll
    for (int j = 0; j < kKeyFragments; ++j) {
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const int key = j * 8 + k;
        if ((kHasWindow && key < begin) || key >= end || !passes(row, first_key + key))
          logits[j][at + k] = -kInfinity;
      }
    }
  }

  /// What is asked for each element: of keys and queries that exist only.
  __device__ bool passes(const RowPlace& row, int key) const {
    if constexpr (kMask == Mask::custom) {
      if (!row.exists(block_.request)) return false;
      const Index bit = static_cast<Index>(row.query) * block_.request.kv_length + key;
      const unsigned byte = args_.mask[block_.request.mask_begin + bit / 8];
      if ((byte >> (bit % 8) & 1u) == 0) return false;
    }
    if constexpr (kHasMaskHook) {
      return row.exists(block_.request) && mask_hook(place_of(block_, row, key), args_.hook_data);
    }
    return true;
  }

  /// To some 5e-7 of the result, however small that is.
  __device__ static float tanh_of(float x) {
    const float power = fast_exp2(-2.0f * kLog2E * fabsf(x));
    const float far = copysignf((1.0f - power) * fast_reciprocal(1.0f + power), x);
    // Where the difference from one would lose digits.
    const float square = x * x;
    return square < kTanhSeriesEnd ? x * tanh_over(square) : far;
  }

  const lathe::AttentionArgs& args_;
  const Block& block_;
  int first_row_;  ///< of this lane, packed
  float scale_;
  KeyRange first_, last_;  ///< of the warp's first and last row
};
