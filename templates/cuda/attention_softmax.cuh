// The online softmax: weights relative to the largest logit so far, and sums that follow when that grows. In
// powers of two.
#pragma once

#include "cuda/attention_logits.cuh"

/// What is subtracted from logits: where all are -infinity, anything that is finite.
__device__ inline float finite_or_zero(float top) {
  return top == -kInfinity ? 0.0f : top;
}

/// Over the four lanes that share a row.
__device__ inline float max_over_row(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, 2));
}

__device__ inline float sum_over_row(float value) {
  value += __shfl_xor_sync(0xFFFFFFFFu, value, 1);
  return value + __shfl_xor_sync(0xFFFFFFFFu, value, 2);
}

/// A warp's rows; each lane has two of every fragment, which it shares with three others.
class OnlineSoftmax {
 public:
  __device__ OnlineSoftmax() {
#pragma unroll
    for (int i = 0; i < kRowFragments; ++i) {
      top_[i][0] = top_[i][1] = -kInfinity;
      sum_[i][0] = sum_[i][1] = 0.0f;
#pragma unroll
      for (int j = 0; j < kValueFragments; ++j) {
#pragma unroll
        for (int k = 0; k < 4; ++k) sums.values[i][j][k] = 0.0f;
      }
    }
  }

  /// The largest of the row's logits, without those before.
  __device__ static float top_of(const Logits& logits, int fragment, int half) {
    float top = -kInfinity;
#pragma unroll
    for (int j = 0; j < kKeyFragments; ++j) {
      top = fmaxf(top, fmaxf(logits.values[fragment][j][half * 2], logits.values[fragment][j][half * 2 + 1]));
    }
    return max_over_row(top);
  }

  /// Logits become weights, relative to the largest so far or to `top`, if that is more.
  __device__ void weigh(Logits& logits, int fragment, int half, float top) {
    const float new_top = fmaxf(top_[fragment][half], top);
    const float base = finite_or_zero(new_top);
    const float factor = fast_exp2(top_[fragment][half] - base);
    top_[fragment][half] = new_top;
    float sum = 0.0f;
#pragma unroll
    for (int j = 0; j < kKeyFragments; ++j) {
#pragma unroll
      for (int k = half * 2; k < half * 2 + 2; ++k) {
        logits.values[fragment][j][k] = fast_exp2(logits.values[fragment][j][k] - base);
        sum += logits.values[fragment][j][k];
      }
    }
    sum_[fragment][half] = sum_[fragment][half] * factor + sum;
#pragma unroll
    for (int j = 0; j < kValueFragments; ++j) {
#pragma unroll
      for (int k = half * 2; k < half * 2 + 2; ++k) sums.values[fragment][j][k] *= factor;
    }
  }

  __device__ float top(int fragment, int half) const { return top_[fragment][half]; }
  /// Of the weights of all four lanes' keys.
  __device__ float sum(int fragment, int half) const { return sum_over_row(sum_[fragment][half]); }

  Sums sums;

 private:
  float top_[kRowFragments][2];
  float sum_[kRowFragments][2];
};

/// All rows of a warp that has all keys of the tile, or keys of its own.
__device__ inline void weigh_own_keys(Logits& logits, OnlineSoftmax& softmax) {
#pragma unroll
  for (int i = 0; i < kRowFragments; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half)
      softmax.weigh(logits, i, half, OnlineSoftmax::top_of(logits, i, half));
  }
}

/// Warps that share out the columns: agree on the largest logit, and leave the weights in shared memory. A
/// barrier must follow.
__device__ inline void weigh_shared_keys(Logits& logits, OnlineSoftmax& softmax, const WarpPlace& warp,
                                         char* shared) {
  float* tops = reinterpret_cast<float*>(shared + kTopOffset);
#pragma unroll
  for (int i = 0; i < kRowFragments; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float top = OnlineSoftmax::top_of(logits, i, half);
      if (warp.lane % 4 == 0) tops[warp.part * kRows + warp.fragment_row(i) + half * 8] = top;
    }
  }
  __syncthreads();
  const unsigned weights = shared_address(shared) + kWeightOffset;
#pragma unroll
  for (int i = 0; i < kRowFragments; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = warp.fragment_row(i) + half * 8;
      float top = -kInfinity;
#pragma unroll
      for (int part = 0; part < kColumnWarps; ++part) top = fmaxf(top, tops[part * kRows + row]);
      softmax.weigh(logits, i, half, top);
#pragma unroll
      for (int j = 0; j < kKeyFragments; ++j) {
        const unsigned at = WeightTile::offset(row, warp.part * kKeyFragments + j) + warp.lane % 4 * 4;
        store_shared(weights + at, Element::pack(logits.values[i][j] + half * 2));
      }
    }
  }
}
