// Rows that are copied, to the same element type bit by bit, to fp8 after a multiplication.
#pragma once

#include "cuda/pack.cuh"

template <class A, class B>
constexpr bool kIsSame = false;
template <class A>
constexpr bool kIsSame<A, A> = true;

/// Multiplied by `scale` if To is fp8.
template <class To, int kCount>
__device__ inline void store_scaled(typename To::Storage* to, const float (&values)[kCount], float scale) {
  float scaled[kCount];
#pragma unroll
  for (int i = 0; i < kCount; ++i)
    scaled[i] = sizeof(typename To::Storage) == 1 ? values[i] * scale : values[i];
  store_pack<To>(to, scaled);
}

/// kCount elements of a type as they are in memory.
template <class X, int kCount>
struct RawPack {
  static constexpr int kBytes = kCount * static_cast<int>(sizeof(typename X::Storage));
  static constexpr bool kInWords = kBytes % 4 == 0;
  unsigned words[kInWords ? kBytes / 4 : 1];

  __device__ void load(const typename X::Storage* from) {
    if constexpr (kInWords) {
      load_words(from, words);
    } else {
      static_assert(kCount == 1, "an odd pack is a single element");
      words[0] = *from;
    }
  }
  template <class To>
  __device__ void store(typename To::Storage* to, float scale) const {
    if constexpr (kIsSame<X, To> && kInWords) {
      store_words(to, words);
    } else if constexpr (kIsSame<X, To>) {
      *to = static_cast<typename X::Storage>(words[0]);
    } else {
      float values[kCount];
      if constexpr (kInWords) {
#pragma unroll
        for (int i = 0; i < kCount / X::kPerWord; ++i) X::unpack(words[i], values + i * X::kPerWord);
      } else {
        values[0] = X::widen(static_cast<typename X::Storage>(words[0]));
      }
      store_scaled<To>(to, values, scale);
    }
  }
};

constexpr int pack_that_divides(int pack, int count) {
  while (count % pack != 0) pack /= 2;
  return pack;
}

template <class T>
struct StridedRows {
  T* first;
  long long stride;  ///< elements between the beginnings of neighbouring rows
};

/// kRows rows of kCount elements, with up to kPack per access.
template <class X, int kRows, int kCount, int kPack>
struct RowCopy {
  /// This thread's packs: number `first`, and then every `step`-th. Two at a time are under way together.
  /// From a row to itself nothing is done.
  template <class To>
  __device__ static void run(StridedRows<const typename X::Storage> from,
                             StridedRows<typename To::Storage> to, float scale, int first, int step) {
    constexpr int kElements = pack_that_divides(kPack, kCount);
    constexpr int kPacks = kCount / kElements;
    if (kIsSame<X, To> && static_cast<const void*>(from.first) == static_cast<const void*>(to.first)) return;
    for (int begin = first; begin < kRows * kPacks; begin += 2 * step) {
      RawPack<X, kElements> packs[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int pack = begin + i * step;
        if (pack < kRows * kPacks)
          packs[i].load(from.first + pack / kPacks * from.stride + pack % kPacks * kElements);
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int pack = begin + i * step;
        if (pack < kRows * kPacks)
          packs[i].template store<To>(to.first + pack / kPacks * to.stride + pack % kPacks * kElements,
                                      scale);
      }
    }
  }
};
