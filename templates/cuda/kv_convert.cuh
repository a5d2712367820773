// Elements that are read as one type and written as another, in groups that share a scale.
#pragma once

#include "common/kv_rotation.h"
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

/// Which elements of a group make pairs. `dim` of 0: none.
struct PairShape {
  int dim;
  int offset;
  bool is_half;
};

/// kCount elements, held by the lanes that share the group in packs of kPack, kLanes packs apart. Of pairs
/// that lie in two packs a lane holds both, one after the other.
template <KvType kSrc, KvType kDst, int kPack, int kCount, PairShape kPairs>
struct GroupOf {
  using Src = typename ElementOf<kSrc>::Type;
  using Dst = typename ElementOf<kDst>::Type;
  static constexpr int kElements = kCount;
  static constexpr int kSrcBytes = sizeof(typename Src::Storage);
  static constexpr int kDstBytes = sizeof(typename Dst::Storage);
  static constexpr float kLargest = largest_of<Dst>();
  static constexpr int kPacks = kCount / kPack;
  /// Packs that hold the first elements of pairs, where others hold the second.
  static constexpr int kPairPacks = kPairs.is_half || kPack == 1 ? kPairs.dim / 2 / kPack : 0;
  static constexpr int kOtherPacks = kPacks - 2 * kPairPacks;
  static constexpr int kMostPacks = kPairPacks > kOtherPacks ? kPairPacks : kOtherPacks;
  static constexpr int kLanes = kMostPacks < 32 ? power_of_two_up_to(kMostPacks) : 32;
  static constexpr int kPairRounds = (kPairPacks + kLanes - 1) / kLanes;
  static constexpr int kRounds = 2 * kPairRounds + (kOtherPacks + kLanes - 1) / kLanes;

  float values[kRounds][kPack];

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kLanes; }
  __device__ static int worker() { return static_cast<int>(threadIdx.x) / kLanes; }

  /// Calls `visit(round, first element)` for each pack of this lane.
  template <class Visit>
  __device__ static void for_each_pack(Visit visit) {
    constexpr int kFirstStride = kPairs.is_half ? 1 : 2;
    constexpr int kSecond = kPairs.is_half ? kPairPacks : 1;
#pragma unroll
    for (int round = 0; round < kPairRounds; ++round) {
      const int slot = round * kLanes + lane();
      const int pack = kPairs.offset / kPack + slot * kFirstStride;
      if (kPairPacks % kLanes == 0 || slot < kPairPacks) {
        visit(2 * round, pack * kPack);
        visit(2 * round + 1, (pack + kSecond) * kPack);
      }
    }
#pragma unroll
    for (int round = 2 * kPairRounds; round < kRounds; ++round) {
      const int other = (round - 2 * kPairRounds) * kLanes + lane();
      const int pack = other < kPairs.offset / kPack ? other : other + 2 * kPairPacks;
      if (kOtherPacks % kLanes == 0 || other < kOtherPacks) visit(round, pack * kPack);
    }
  }

  /// Turns each pair by `angle_of(pair)`, a sine and a cosine.
  template <class AngleOf>
  __device__ void turn(AngleOf angle_of) {
    if constexpr (kPairPacks > 0) {
#pragma unroll
      for (int round = 0; round < kPairRounds; ++round) {
        const int slot = round * kLanes + lane();
        if (slot >= kPairPacks) continue;
#pragma unroll
        for (int i = 0; i < kPack; ++i) {
          const SinCos<float> angle = angle_of(slot * kPack + i);
          rotate(values[2 * round][i], values[2 * round + 1][i], angle.sin, angle.cos);
        }
      }
    } else {
      for_each_pack([&](int round, int first) {
        if (first < kPairs.offset || first >= kPairs.offset + kPairs.dim) return;
#pragma unroll
        for (int i = 0; i + 1 < kPack; i += 2) {
          const SinCos<float> angle = angle_of((first - kPairs.offset + i) / 2);
          rotate(values[round][i], values[round][i + 1], angle.sin, angle.cos);
        }
      });
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
