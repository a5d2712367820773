// rms_norm, forward, for the CPU. A row is read twice: once for its sum of squares, once, from the
// first-level cache, to be scaled. The residual sum is formed both times, so that no scratch row is needed
// and outputs may alias inputs.

#include <lathe/args.h>

#include "common/options.h"
#include "cpu/element.h"

// lathe:parameters
using X = Bf16;
using W = Bf16;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr Residual kResidual = Residual::none;
constexpr bool kStoreRstd = false;
constexpr int kRowsPerBlock = 8;
// lathe:end

using lathe::Index;

namespace {

constexpr int kVectors = kHiddenSize / kLanes;
constexpr int kTail = kHiddenSize % kLanes;
constexpr bool kHasResidual = kResidual != Residual::none;
/// In Casting::none every step is rounded to the element type.
constexpr bool kRoundSteps = kCasting == Casting::none;
/// Outputs beyond this do not stay in the caches anyway; writing past them spares reading the lines first.
constexpr Index kStreamingBytes = Index{8} << 20;

struct Row {
  const X::Storage* x;
  const X::Storage* residual_in;
  X::Storage* residual_out;
  X::Storage* y;
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

inline float reciprocal_root(float sum, float epsilon) {
  const float mean = sum / kHiddenSize;
  if constexpr (kRoundSteps) {
    return X::round(1.0f / __builtin_sqrtf(X::round(X::round(mean) + epsilon)));
  }
  return 1.0f / __builtin_sqrtf(mean + epsilon);
}

/// The last steps: times rstd, times weight, with the roundings that the casting mode puts between them.
inline Floats scaled(Floats values, float rstd, Floats weight) {
  const Floats normal = rounded_if(kCasting != Casting::gemma, values * rstd);
  if constexpr (!kHasWeight) return normal;
  return normal * weight;  // rounded when it is stored
}

inline Floats shifted_weight(Floats loaded) {
  Floats weight = in_order_of<X, W>(loaded);
  if constexpr (sizeof(W::Storage) == 4 && sizeof(X::Storage) == 2) weight = with_plain_nans(weight);
  if constexpr (kWeightOffset == 0.0f) return rounded_if(kRoundSteps, weight);
  return rounded_if(kRoundSteps, weight + kWeightOffset);
}

inline void prefetch(const X::Storage* from) {
  constexpr int kLineBytes = 64;
  for (int i = 0; i < X::kVectorBytes; i += kLineBytes)
    __builtin_prefetch(reinterpret_cast<const char*>(from) + i);
}

/// Fetches the next row meanwhile, so that reads and writes are under way together: without, a row's
/// arithmetic waits for memory, then memory for the arithmetic.
template <bool kStreaming>
inline void write_row(const Row& row, const W::Storage* weight, float rstd, const Row& next) {
#pragma clang loop unroll_count(2)
  for (int i = 0; i < kVectors; ++i) {
    const int at = i * kLanes;
    prefetch(next.x + at);
    if constexpr (kHasResidual) prefetch(next.residual_in + at);
    const Floats values = load_vector(row, at);
    Floats w = 1.0f;
    if constexpr (kHasWeight) w = shifted_weight(W::load(weight + at));
    if constexpr (kHasResidual) X::store(row.residual_out + at, values);
    if constexpr (kStreaming) {
      X::store_streaming(row.y + at, scaled(values, rstd, w));
    } else {
      X::store(row.y + at, scaled(values, rstd, w));
    }
  }
  if constexpr (kTail != 0) {
    constexpr int at = kVectors * kLanes;
    const Floats values = load_tail(row);
    Floats w = 1.0f;
    if constexpr (kHasWeight) w = shifted_weight(W::load_tail(weight + at, kTail));
    if constexpr (kHasResidual) X::store_tail(row.residual_out + at, values, kTail);
    X::store_tail(row.y + at, scaled(values, rstd, w), kTail);
  }
}

inline Row row_at(const lathe::RmsNormArgs& args, Index token, Index head) {
  const auto at = [&](auto* base, Index row_stride, Index head_stride) {
    return base + token * row_stride + head * head_stride;
  };
  using In = const X::Storage*;
  Row row{.x = at(static_cast<In>(args.x), args.x_row_stride, args.x_head_stride),
          .residual_in = nullptr,
          .residual_out = nullptr,
          .y = at(static_cast<X::Storage*>(args.y), args.y_row_stride, args.y_head_stride)};
  if constexpr (kHasResidual) {
    row.residual_in =
        at(static_cast<In>(args.residual_in), args.residual_in_row_stride, args.residual_in_head_stride);
    row.residual_out = at(static_cast<X::Storage*>(args.residual_out), args.residual_out_row_stride,
                          args.residual_out_head_stride);
  }
  return row;
}

inline bool should_stream(const lathe::RmsNormArgs& args, const Row& row) {
  // A y that is x is in the cache already.
  const bool is_large =
      args.rows * kHeads >= kStreamingBytes / (Index{kHiddenSize} * Index{sizeof(X::Storage)});
  return is_large && args.y != args.x && reinterpret_cast<unsigned long>(row.y) % X::kVectorBytes == 0;
}

}  // namespace

extern "C" void lathe_rms_norm(const lathe::RmsNormArgs* args, Index first_block, Index last_block) {
  const Index units = args->rows * kHeads;
  bool streamed = false;
  const Index end = last_block * kRowsPerBlock < units ? last_block * kRowsPerBlock : units;
  const auto* weight = static_cast<const W::Storage*>(args->weight);
  for (Index unit = first_block * kRowsPerBlock; unit < end; ++unit) {
    const Row row = row_at(*args, unit / kHeads, unit % kHeads);
    const Index after = unit + 1 < end ? unit + 1 : unit;
    const Row next = row_at(*args, after / kHeads, after % kHeads);
    const float rstd = reciprocal_root(sum_of_squares(row), args->epsilon);
    if constexpr (kStoreRstd) args->rstd[unit] = rstd;
    if (should_stream(*args, row)) {
      write_row<true>(row, weight, rstd, next);
      streamed = true;
    } else {
      write_row<false>(row, weight, rstd, next);
    }
  }
  // Streaming stores are not ordered with later ones, such as the one that tells another thread of this
  // block.
  if (streamed) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
