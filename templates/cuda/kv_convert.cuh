// Elements that are read as one type and written as another, in groups that share a scale.
#pragma once

#include "common/kv_facts.h"
#include "cuda/fp8.cuh"
#include "cuda/pack.cuh"

template <KvType>
struct ElementOf;
template <>
struct ElementOf<KvType::f32> {
  using Type = F32;
};
template <>
struct ElementOf<KvType::f16> {
  using Type = F16;
};
template <>
struct ElementOf<KvType::bf16> {
  using Type = Bf16;
};
template <>
struct ElementOf<KvType::e4m3> {
  using Type = E4m3;
};
template <>
struct ElementOf<KvType::e5m2> {
  using Type = E5m2;
};

/// What a scale brings the largest magnitude to; only fp8 has written scales.
template <class Element>
constexpr float largest_of() {
  if constexpr (sizeof(typename Element::Storage) == 1) {
    return Element::kLargest;
  } else {
    return 1.0f;
  }
}

constexpr int power_of_two_up_to(int n) {
  int power = 1;
  while (2 * power <= n) power *= 2;
  return power;
}

/// kCount elements, held by the lanes that share the group: each has packs of kPack, kLanes packs apart.
template <KvType kSrc, KvType kDst, int kPack, int kCount>
struct GroupOf {
  using Src = typename ElementOf<kSrc>::Type;
  using Dst = typename ElementOf<kDst>::Type;
  static constexpr int kElements = kCount;
  static constexpr int kSrcBytes = sizeof(typename Src::Storage);
  static constexpr int kDstBytes = sizeof(typename Dst::Storage);
  static constexpr float kLargest = largest_of<Dst>();
  static constexpr int kPacks = kCount / kPack;
  static constexpr int kLanes = kPacks < 32 ? power_of_two_up_to(kPacks) : 32;
  static constexpr int kRounds = (kPacks + kLanes - 1) / kLanes;

  float values[kRounds][kPack];

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kLanes; }
  __device__ static int worker() { return static_cast<int>(threadIdx.x) / kLanes; }

  /// Calls `visit(round, first element)` for each pack of this lane.
  template <class Visit>
  __device__ static void for_each_pack(Visit visit) {
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int pack = round * kLanes + lane();
      if (kPacks % kLanes == 0 || pack < kPacks) visit(round, pack * kPack);
    }
  }

  template <class AddressOf>
  __device__ void load(AddressOf address_of) {
    for_each_pack([&](int round, int first) {
      load_pack<Src>(reinterpret_cast<const typename Src::Storage*>(address_of(first)), values[round]);
    });
  }

  /// Replaces each value by `function(element, value)`.
  template <class Function>
  __device__ void apply(Function function) {
    for_each_pack([&](int round, int first) {
#pragma unroll
      for (int i = 0; i < kPack; ++i) values[round][i] = function(first + i, values[round][i]);
    });
  }

  /// The largest magnitude of the group; numbers only.
  __device__ float amax() const {
    float largest = 0.0f;
    for_each_pack([&](int round, int) {
#pragma unroll
      for (int i = 0; i < kPack; ++i) largest = fmaxf(largest, fabsf(values[round][i]));
    });
    const unsigned group = (kLanes == 32 ? 0xFFFFFFFFu : (1u << kLanes) - 1u)
                           << (threadIdx.x % 32 / kLanes * kLanes);
#pragma unroll
    for (int distance = kLanes / 2; distance > 0; distance /= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(group, largest, distance));
    }
    return largest;
  }

  template <class AddressOf>
  __device__ void store(AddressOf address_of) const {
    for_each_pack([&](int round, int first) {
      store_pack<Dst>(reinterpret_cast<typename Dst::Storage*>(address_of(first)), values[round]);
    });
  }
};
