// Packs: a few neighbouring elements that one thread reads or writes in as few accesses as their alignment
// allows.
#pragma once

#include "cuda/element.cuh"

/// Reads `kWords` words in accesses of 16, 8 or 4 bytes. REQUIRES: `from` aligned to the access.
template <int kWords>
__device__ inline void load_words(const void* from, unsigned (&words)[kWords]) {
  if constexpr (kWords % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kWords / 4; ++i) {
      const uint4 quad = static_cast<const uint4*>(from)[i];
      words[4 * i] = quad.x;
      words[4 * i + 1] = quad.y;
      words[4 * i + 2] = quad.z;
      words[4 * i + 3] = quad.w;
    }
  } else if constexpr (kWords == 2) {
    const uint2 pair = *static_cast<const uint2*>(from);
    words[0] = pair.x;
    words[1] = pair.y;
  } else {
    words[0] = *static_cast<const unsigned*>(from);
  }
}

template <int kWords>
__device__ inline void store_words(void* to, const unsigned (&words)[kWords]) {
  if constexpr (kWords % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kWords / 4; ++i) {
      static_cast<uint4*>(to)[i] =
          make_uint4(words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]);
    }
  } else if constexpr (kWords == 2) {
    *static_cast<uint2*>(to) = make_uint2(words[0], words[1]);
  } else {
    *static_cast<unsigned*>(to) = words[0];
  }
}

/// Reads kCount elements of type T. REQUIRES: `from` is a multiple of the pack's bytes, or of 16.
template <class T, int kCount>
__device__ inline void load_pack(const typename T::Storage* from, float (&values)[kCount]) {
  if constexpr (kCount % T::kPerWord == 0) {
    unsigned words[kCount / T::kPerWord];
    load_words(from, words);
#pragma unroll
    for (int i = 0; i < kCount / T::kPerWord; ++i) T::unpack(words[i], values + i * T::kPerWord);
  } else if constexpr (kCount == 2) {
    T::widen_pair(*reinterpret_cast<const unsigned short*>(from), values);
  } else {
    static_assert(kCount == 1, "an odd pack is a single element");
    values[0] = T::widen(*from);
  }
}

template <class T, int kCount>
__device__ inline void store_pack(typename T::Storage* to, const float (&values)[kCount]) {
  if constexpr (kCount % T::kPerWord == 0) {
    unsigned words[kCount / T::kPerWord];
#pragma unroll
    for (int i = 0; i < kCount / T::kPerWord; ++i) words[i] = T::pack(values + i * T::kPerWord);
    store_words(to, words);
  } else if constexpr (kCount == 2) {
    *reinterpret_cast<unsigned short*>(to) = T::narrow_pair(values[0], values[1]);
  } else {
    static_assert(kCount == 1, "an odd pack is a single element");
    *to = T::narrow(values[0]);
  }
}

/// A pack as it is in memory: half the registers of its floats, for 16-bit elements.
template <class T, int kCount>
struct Packed {
  static constexpr bool kIsWords = kCount % T::kPerWord == 0;
  unsigned words[kIsWords ? kCount / T::kPerWord : 1];

  /// REQUIRES: as load_pack.
  __device__ void load(const typename T::Storage* from) {
    if constexpr (kIsWords) {
      load_words(from, words);
    } else {
      static_assert(kCount == 1, "an odd pack is a single element");
      words[0] = *from;
    }
  }
  __device__ void unpack(float (&values)[kCount]) const {
    if constexpr (kIsWords) {
#pragma unroll
      for (int i = 0; i < kCount / T::kPerWord; ++i) T::unpack(words[i], values + i * T::kPerWord);
    } else {
      values[0] = T::widen(static_cast<typename T::Storage>(words[0]));
    }
  }
};
