// How a row of rms_norm is written on the CPU: scaled as the spec says. Included after cpu/rms_norm_row.h and
// the parameter block.
#pragma once

#include "cpu/rms_norm_row.h"

namespace {

inline void prefetch(const X::Storage* from) {
  constexpr int kLineBytes = 64;
  for (int i = 0; i < X::kVectorBytes; i += kLineBytes)
    __builtin_prefetch(reinterpret_cast<const char*>(from) + i);
}

/// Fetches the next row meanwhile, so that reads and writes are under way together: without, a row's
/// arithmetic waits for memory, then memory for the arithmetic.
template <bool kStreaming>
inline void write_row(const Row& row, float rstd, float inverse, const Row& next) {
#pragma clang loop unroll_count(2)
  for (int i = 0; i < kVectors; ++i) {
    const int at = i * kLanes;
    prefetch(next.x + at);
    if constexpr (kHasResidual) prefetch(next.residual_in + at);
    const Floats values = load_vector(row, at);
    const Floats y = as_output(scaled(values, rstd, weight_at(row, at)), inverse);
    if constexpr (kHasResidual) X::store(row.residual_out + at, values);
    if constexpr (kStreaming) {
      Y::store_streaming(row.y + at, y);
    } else {
      Y::store(row.y + at, y);
    }
  }
  if constexpr (kTail != 0) {
    constexpr int at = kVectors * kLanes;
    const Floats values = load_tail(row);
    const Floats y = as_output(scaled(values, rstd, weight_tail(row)), inverse);
    if constexpr (kHasResidual) X::store_tail(row.residual_out + at, values, kTail);
    Y::store_tail(row.y + at, y, kTail);
  }
}

/// The largest |y| of vectors [first, last), and of the tail if it is within the elements that share a scale.
inline float largest_of(const Row& row, float rstd, int first, int last, bool with_tail) {
  Floats largest = 0.0f;
  for (int i = first; i < last; ++i) {
    const Floats y = scaled(load_vector(row, i * kLanes), rstd, weight_at(row, i * kLanes));
    largest = larger(largest, magnitude(y));
  }
  if constexpr (kTail != 0) {
    if (with_tail) largest = larger(largest, magnitude(scaled(load_tail(row), rstd, weight_tail(row))));
  }
  return largest_of_lanes(largest);
}

/// A scale that makes the largest magnitude the largest value of the fp8 type T.
template <class T>
inline float scale_for(float largest, float floor) {
  if constexpr (kScale != OutputScale::none) return (largest > floor ? largest : floor) / T::kLargest;
  return 1.0f;
}

inline float* scales_of(const lathe::RmsNormArgs& args, Index unit) {
  return args.y_scale_out + unit / kHeads * args.y_scale_row_stride +
         unit % kHeads * args.y_scale_head_stride;
}

/// With one scale per 128 elements.
inline void write_row_in_blocks(const Row& row, float rstd, float floor, float* scales, Index stride) {
  constexpr int kStep = kScaleBlock / kLanes;
  for (int first = 0; first * kLanes < kHiddenSize; first += kStep) {
    const int last = first + kStep < kVectors ? first + kStep : kVectors;
    const bool with_tail = kTail != 0 && first + kStep > kVectors;
    const float scale = scale_for<Y>(largest_of(row, rstd, first, last, with_tail), floor);
    scales[first / kStep * stride] = scale;
    for (int i = first; i < last; ++i) {
      const int at = i * kLanes;
      const Floats values = load_vector(row, at);
      const Floats y = as_output(scaled(values, rstd, weight_at(row, at)), 1.0f / scale);
      if constexpr (kHasResidual) X::store(row.residual_out + at, values);
      Y::store(row.y + at, y);
    }
    if constexpr (kTail != 0) {
      if (!with_tail) continue;
      constexpr int at = kVectors * kLanes;
      const Floats values = load_tail(row);
      const Floats y = as_output(scaled(values, rstd, weight_tail(row)), 1.0f / scale);
      if constexpr (kHasResidual) X::store_tail(row.residual_out + at, values, kTail);
      Y::store_tail(row.y + at, y, kTail);
    }
  }
}

inline bool should_stream(const lathe::RmsNormArgs& args, const Row& row) {
  // A y that is x is in the cache already.
  const bool is_large =
      args.rows * kHeads >= kStreamingBytes / (Index{kHiddenSize} * Index{sizeof(Y::Storage)});
  return is_large && args.y != args.x && reinterpret_cast<unsigned long>(row.y) % Y::kVectorBytes == 0;
}

}  // namespace

/// Rows [first, end). True if some were written past the caches: such stores are not ordered with later ones,
/// such as the one that tells another thread of them, without a fence.
inline bool write_rows(const lathe::RmsNormArgs& args, Index first, Index end, float given_scale) {
  bool streamed = false;
  for (Index unit = first; unit < end; ++unit) {
    const Row row = row_at(args, unit);
    const Row next = row_at(args, unit + 1 < end ? unit + 1 : unit);
    const float rstd = reciprocal_root<X, kRoundSteps>(sum_of_squares(row), kHiddenSize, args.epsilon);
    if constexpr (kStoreRstd) args.rstd[unit] = rstd;
    if constexpr (kScale == OutputScale::per_block) {
      write_row_in_blocks(row, rstd, args.amax_floor, scales_of(args, unit), args.y_scale_block_stride);
      continue;
    }
    float scale = given_scale;
    if constexpr (kScale == OutputScale::per_row) {
      scale = scale_for<Y>(largest_of(row, rstd, 0, kVectors, true), args.amax_floor);
      *scales_of(args, unit) = scale;
    }
    if (should_stream(args, row)) {
      write_row<true>(row, rstd, 1.0f / scale, next);
      streamed = true;
    } else {
      write_row<false>(row, rstd, 1.0f / scale, next);
    }
  }
  return streamed;
}
