// The gradient of one row of rms_norm on the CPU. Included after the parameter block of a template, whose
// names it uses.
#pragma once

#include "common/options.h"
#include "cpu/element.h"
#include "cpu/rms_norm_statistics.h"

using lathe::Index;

namespace {

constexpr int kVectors = kHiddenSize / kLanes;
constexpr int kTail = kHiddenSize % kLanes;
constexpr int kTailAt = kVectors * kLanes;
constexpr bool kRoundSteps = kCasting == Casting::none;
/// Groups of rows that each have a dw of their own.
constexpr Index kGroups = kWeightPerHead ? kHeads : 1;
/// Outputs beyond this do not stay in the caches anyway; writing past them spares reading the lines first.
constexpr Index kStreamingBytes = Index{8} << 20;

struct Row {
  const X::Storage* dy;
  const X::Storage* x;
  const X::Storage* dresidual;
  X::Storage* dx;
  const W::Storage* weight;
  Index unit;  ///< token * heads + head
};

inline Row row_at(const lathe::RmsNormBackwardArgs& args, Index group, Index index) {
  const Index token = kWeightPerHead ? index : index / kHeads;
  const Index head = kWeightPerHead ? group : index % kHeads;
  const auto at = [&](const void* base, Index row_stride, Index head_stride) {
    return static_cast<const X::Storage*>(base) + token * row_stride + head * head_stride;
  };
  Row row{.dy = at(args.dy, args.dy_row_stride, args.dy_head_stride),
          .x = at(args.x, args.x_row_stride, args.x_head_stride),
          .dresidual = nullptr,
          .dx = nullptr,
          .weight = static_cast<const W::Storage*>(args.weight) + (kHasWeight ? group * kHiddenSize : 0),
          .unit = token * kHeads + head};
  if constexpr (kHasDresidual) {
    row.dresidual = at(args.dresidual, args.dresidual_row_stride, args.dresidual_head_stride);
  }
  if constexpr (kStoreDx) {
    row.dx = const_cast<X::Storage*>(at(args.dx, args.dx_row_stride, args.dx_head_stride));
  }
  return row;
}

inline Floats rounded_if(bool rounds, Floats values) {
  return rounds ? X::round(values) : values;
}

/// One vector of a row, or what a row has beyond its last whole vector.
template <bool kIsTail>
struct Part {
  Floats dy;
  Floats x;
  Floats g;  ///< dy * (weight + offset)

  static Floats load(const X::Storage* from) {
    if constexpr (kIsTail) return X::load_tail(from, kTail);
    return X::load(from);
  }
  Part(const Row& row, int at) : dy(load(row.dy + at)), x(load(row.x + at)), g(dy) {
    if constexpr (kHasWeight && kStoreDx) {
      Floats weight = kIsTail ? W::load_tail(row.weight + at, kTail) : W::load(row.weight + at);
      weight = plain_for<X, W>(in_order_of<X, W>(weight));
      g = dy * rounded_if(kRoundSteps, kWeightOffset == 0.0f ? weight : weight + kWeightOffset);
    }
  }
};

/// A sum of many terms: what adding rounds away is kept and added too, so the error does not grow with the
/// row.
struct Total {
  Floats sum = 0.0f;
  Floats lost = 0.0f;

  void add(Floats block) {
    const Floats before = sum;
    sum += block;
    lost += block - (sum - before);
  }
  float result() const {
    // What is lost next to infinity is no number.
    return sum_of_lanes(sum - sum == 0.0f ? sum + lost : sum);
  }
};

struct Factors {
  float rstd;
  float mean_product;  ///< sum(g * n) / hidden size
};

struct Sums {
  Floats products = 0.0f;  ///< of g times x, or times n where rstd is known before
  Floats squares = 0.0f;

  template <bool kIsTail>
  void add(const Part<kIsTail>& part, float rstd) {
    if constexpr (kStoreDx) products += part.g * (kLoadRstd ? part.x * rstd : part.x);
    if constexpr (!kLoadRstd) {
      if constexpr (kRoundSteps) {
        squares += X::round(part.x * part.x);
      } else {
        squares += part.x * part.x;
      }
    }
  }
};

inline Factors factors_of(const lathe::RmsNormBackwardArgs& args, const Row& row) {
  Factors factors{.rstd = 0.0f, .mean_product = 0.0f};
  if constexpr (kLoadRstd) {
    factors.rstd = args.rstd[row.unit];
    if (factors.rstd != factors.rstd) factors.rstd = __builtin_nanf("");
  }
  if constexpr (!kStoreDx && kLoadRstd) return factors;
  constexpr int kBlock = 64;
  Total products;
  Total squares;
  for (int begin = 0; begin < kVectors; begin += kBlock) {
    const int end = begin + kBlock < kVectors ? begin + kBlock : kVectors;
    // Two of each, so that additions are under way together.
    Sums even;
    Sums odd;
    int i = begin;
    for (; i + 2 <= end; i += 2) {
      even.add(Part<false>(row, i * kLanes), factors.rstd);
      odd.add(Part<false>(row, (i + 1) * kLanes), factors.rstd);
    }
    if (i < end) even.add(Part<false>(row, i * kLanes), factors.rstd);
    products.add(even.products + odd.products);
    squares.add(even.squares + odd.squares);
  }
  if constexpr (kTail != 0) {
    Sums tail;
    tail.add(Part<true>(row, kTailAt), factors.rstd);
    products.add(tail.products);
    squares.add(tail.squares);
  }
  factors.mean_product = products.result() / kHiddenSize;
  if constexpr (!kLoadRstd) {
    factors.rstd = reciprocal_root<X, kRoundSteps>(squares.result(), kHiddenSize, args.epsilon);
    factors.mean_product *= factors.rstd;
  }
  return factors;
}

/// dx of the part; its part of dw is added.
template <bool kIsTail>
inline Floats finish(const Row& row, int at, const Factors& factors, float* dw) {
  const Part<kIsTail> part(row, at);
  const Floats n = part.x * factors.rstd;
  if constexpr (kStoreDw)
    F32::store(dw + at, F32::load(dw + at) + part.dy * rounded_if(kCasting != Casting::gemma, n));
  Floats dx = factors.rstd * (part.g - n * factors.mean_product);
  if constexpr (kHasDresidual) dx += Part<kIsTail>::load(row.dresidual + at);
  return dx;
}

inline void prefetch(const X::Storage* from) {
  constexpr int kLineBytes = 64;
  for (int i = 0; i < X::kVectorBytes; i += kLineBytes)
    __builtin_prefetch(reinterpret_cast<const char*>(from) + i);
}

/// Fetches the next row meanwhile, so that reads and writes are under way together.
template <bool kStreaming>
inline void finish_row(const Row& row, const Factors& factors, const Row& next, float* dw) {
  for (int at = 0; at < kTailAt; at += kLanes) {
    prefetch(next.dy + at);
    prefetch(next.x + at);
    if constexpr (kHasDresidual) prefetch(next.dresidual + at);
    const Floats dx = finish<false>(row, at, factors, dw);
    if constexpr (!kStoreDx) continue;
    if constexpr (kStreaming) {
      X::store_streaming(row.dx + at, dx);
    } else {
      X::store(row.dx + at, dx);
    }
  }
  if constexpr (kTail != 0) {
    const Floats dx = finish<true>(row, kTailAt, factors, dw);
    if constexpr (kStoreDx) X::store_tail(row.dx + kTailAt, dx, kTail);
  }
}

inline bool should_stream(const lathe::RmsNormBackwardArgs& args, const Row& row) {
  if constexpr (!kStoreDx) return false;
  const bool is_large =
      args.rows * kHeads >= kStreamingBytes / (Index{kHiddenSize} * Index{sizeof(X::Storage)});
  // What is read is in the cache already.
  const bool is_in_place = args.dx == args.dy || args.dx == args.x || args.dx == args.dresidual;
  return is_large && !is_in_place && reinterpret_cast<unsigned long>(row.dx) % X::kVectorBytes == 0;
}

}  // namespace
