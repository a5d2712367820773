// Products of a few rows of floats with vectors that are read where they lie, each once for as many rows as
// the registers hold sums of.
#pragma once

#include "cpu/attention_panels.h"

/// The most rows that are taken at once, and the registers that hold sums.
#if defined(__AVX512F__)
constexpr int kMostRowsAtOnce = 8;
constexpr int kSumRegisters = 16;
#else
constexpr int kMostRowsAtOnce = 4;
constexpr int kSumRegisters = 8;
#endif

inline RegisterFloats first_register(Floats v) {
  return __builtin_bit_cast(RegisterFloats, first_register(__builtin_bit_cast(Words, v)));
}
inline RegisterFloats second_register(Floats v) {
  return __builtin_bit_cast(RegisterFloats, second_register(__builtin_bit_cast(Words, v)));
}

/// Lanes whose number has the bit kWidth, of b, the others of a; to each is added its neighbour kWidth away.
template <int kWidth, int... kI>
inline RegisterFloats folded(RegisterFloats a, RegisterFloats b, Indices<kI...>) {
  const RegisterFloats own =
      __builtin_shufflevector(a, b, ((kI & kWidth) != 0 ? kRegisterLanes + kI : kI)...);
  const RegisterFloats other =
      __builtin_shufflevector(a, b, ((kI & kWidth) != 0 ? kRegisterLanes + kI - kWidth : kI + kWidth)...);
  return own + other;
}

/// In lane i the sum of all lanes of sums[i]. The registers are used up.
template <int kWidth = kRegisterLanes / 2>
inline RegisterFloats sums_of_lanes(RegisterFloats* sums) {
  if constexpr (kWidth == 0) {
    return sums[0];
  } else {
#pragma clang loop unroll(full)
    for (int i = 0; i < kWidth; ++i)
      sums[i] = folded<kWidth>(sums[i], sums[i + kWidth], Counting<kRegisterLanes>{});
    return sums_of_lanes<kWidth / 2>(sums);
  }
}

/// Vectors of elements that are read soon: while others are worked on they come into the second-level cache.
template <class Storage>
struct Ahead {
  const Storage* const* vectors;  ///< one per vector that is worked on; null: none
  int bytes;                      ///< of each

  void fetch(int i) const {
    constexpr int kLineBytes = 64;
    if (vectors == nullptr) return;
    const char* const from = reinterpret_cast<const char*>(vectors[i]);
#pragma clang loop unroll(disable)
    for (int at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(from + at, 0, 2);
  }
};

/// Rows of floats, `stride` apart, whose lanes are ordered as those of the vectors' element type.
struct FewRows {
  float* at;
  int stride;
};

/// sums[row * kVectors + i] += rows[row] * vectors[i], lane by lane, for kCount elements from `at` on.
template <class E, int kCount, int kRows, int kVectors>
__attribute__((always_inline)) inline void add_products(FewRows rows,
                                                        const typename E::Storage* const* vectors, int at,
                                                        RegisterFloats* sums) {
  Floats of_vectors[kVectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < kVectors; ++i) of_vectors[i] = load_first<E, kCount>(vectors[i] + at);
#pragma clang loop unroll(full)
  for (int row = 0; row < kRows; ++row) {
    const float* const of_row = rows.at + row * rows.stride + at;
#pragma clang loop unroll(full)
    for (int i = 0; i < kVectors; ++i) {
      sums[row * kVectors + i] += load_register(of_row) * first_register(of_vectors[i]);
      sums[row * kVectors + i] += load_register(of_row + kRegisterLanes) * second_register(of_vectors[i]);
    }
  }
}

/// result[row][i] = rows[row] * vectors[i], or +=, for kRows rows and as many vectors as make a register of
/// sums.
template <class E, int kDim, int kRows, bool kAdds>
inline void multiply_vectors(FewRows rows, const typename E::Storage* const* vectors, FewRows result) {
  constexpr int kVectors = kRegisterLanes / kRows;
  constexpr int kWhole = kDim / kLanes * kLanes;
  RegisterFloats sums[kRegisterLanes];
#pragma clang loop unroll(full)
  for (RegisterFloats& sum : sums) sum = 0.0f;
#pragma clang loop unroll(disable)
  for (int at = 0; at < kWhole; at += kLanes)
    add_products<E, kLanes, kRows, kVectors>(rows, vectors, at, sums);
  if constexpr (kWhole != kDim) add_products<E, kDim - kWhole, kRows, kVectors>(rows, vectors, kWhole, sums);
  float values[kRegisterLanes];
  store_register(values, sums_of_lanes(sums));
#pragma clang loop unroll(full)
  for (int i = 0; i < kRegisterLanes; ++i) {
    float& product = result.at[i / kVectors * result.stride + i % kVectors];
    product = kAdds ? product + values[i] : values[i];
  }
}

/// The same for kCount vectors, a multiple of a register's lanes.
template <class E, int kDim, int kCount, int kRows, bool kAdds, class Next>
__attribute__((noinline)) void multiply_all_vectors(FewRows rows, const typename E::Storage* const* vectors,
                                                    FewRows result, const Ahead<Next>& ahead) {
  constexpr int kVectors = kRegisterLanes / kRows;
#pragma clang loop unroll(disable)
  for (int i = 0; i < kCount; i += kVectors) {
#pragma clang loop unroll(full)
    for (int vector = 0; vector < kVectors; ++vector) ahead.fetch(i + vector);
    multiply_vectors<E, kDim, kRows, kAdds>(rows, vectors + i, {result.at + i, result.stride});
  }
}

/// What stands beside the rows of a weighted sum.
struct WeightedSum {
  FewRows weights;       ///< one per vector
  const float* factors;  ///< of what the sums were
  FewRows sums;
};

/// sums[row] = sums[row] * factors[row] + weights[row][i] * vectors[i] for all i, in the elements from `at`
/// on: kVectors registers' worth, all whole but for one of kCount elements.
template <class E, int kRows, int kVectors, int kCount>
__attribute__((noinline)) void add_weighted(const typename E::Storage* const* vectors, int vector_count,
                                            int at, const WeightedSum& sum,
                                            const Ahead<typename E::Storage>& ahead) {
  RegisterFloats sums[kRows][2 * kVectors];
#pragma clang loop unroll(full)
  for (int row = 0; row < kRows; ++row) {
    const float* const from = sum.sums.at + row * sum.sums.stride + at;
#pragma clang loop unroll(full)
    for (int i = 0; i < 2 * kVectors; ++i)
      sums[row][i] = load_register(from + i * kRegisterLanes) * sum.factors[row];
  }
#pragma clang loop unroll(disable)
  for (int vector = 0; vector < vector_count; ++vector) {
    ahead.fetch(vector);
#pragma clang loop unroll(full)
    for (int i = 0; i < kVectors; ++i) {
      const Floats values = load_first<E, kCount>(vectors[vector] + at + i * kLanes);
#pragma clang loop unroll(full)
      for (int row = 0; row < kRows; ++row) {
        const float weight = sum.weights.at[row * sum.weights.stride + vector];
        sums[row][2 * i] += weight * first_register(values);
        sums[row][2 * i + 1] += weight * second_register(values);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int row = 0; row < kRows; ++row) {
    float* const to = sum.sums.at + row * sum.sums.stride + at;
#pragma clang loop unroll(full)
    for (int i = 0; i < 2 * kVectors; ++i) store_register(to + i * kRegisterLanes, sums[row][i]);
  }
}

/// The same for all of their kDim elements.
template <class E, int kDim, int kRows>
inline void add_weighted_vectors(const typename E::Storage* const* vectors, int count, const WeightedSum& sum,
                                 Ahead<typename E::Storage> ahead) {
  constexpr int kWhole = kDim / kLanes * kLanes;
  constexpr int kMost = kSumRegisters / (2 * kRows);
  constexpr int kVectors = kWhole / kLanes == 0 || kMost * kLanes <= kWhole ? kMost : kWhole / kLanes;
  int at = 0;
#pragma clang loop unroll(disable)
  for (; at + kVectors * kLanes <= kWhole; at += kVectors * kLanes) {
    add_weighted<E, kRows, kVectors, kLanes>(vectors, count, at, sum, ahead);
    ahead.vectors = nullptr;
  }
  if constexpr (kWhole % (kVectors * kLanes) != 0) {
#pragma clang loop unroll(disable)
    for (; at < kWhole; at += kLanes) {
      add_weighted<E, kRows, 1, kLanes>(vectors, count, at, sum, ahead);
      ahead.vectors = nullptr;
    }
  }
  if constexpr (kWhole != kDim) add_weighted<E, kRows, 1, kDim - kWhole>(vectors, count, at, sum, ahead);
}
