// A row (one head of one token) whose pairs are rotated, shared by a group of lanes: which elements a lane
// holds, and how it reads, rotates and writes them.
#pragma once

#include "common/rotation.h"
#include "cuda/copy_rows.cuh"

struct RowShape {
  int head_dim;
  int rotary_dim;
  int rotary_offset;
  bool is_half;    ///< pairs are half the rotated elements apart; else neighbours
  bool holds_all;  ///< the elements that are not rotated too
  int pack;        ///< elements per access; divides every part of the row
  int group;       ///< lanes
};

/// Lanes hold slots. The first are of pairs: in half order two packs, half the rotated elements apart;
/// interleaved one pack, or, if that is a single element, two neighbours. Then packs that are not rotated.
template <class X, RowShape kShape>
struct RotatedRow {
  static constexpr int kPack = kShape.pack;
  static constexpr int kParts = kShape.is_half || kPack == 1 ? 2 : 1;
  static constexpr int kPairs = kParts * kPack / 2;  ///< of a slot
  static constexpr int kPairSlots = kShape.rotary_dim / 2 / kPairs;
  static constexpr int kSlots =
      kPairSlots + (kShape.holds_all ? (kShape.head_dim - kShape.rotary_dim) / kPack : 0);
  static constexpr int kRounds = (kSlots + kShape.group - 1) / kShape.group;
  static constexpr int kPairRounds = (kPairSlots + kShape.group - 1) / kShape.group;

  struct Values {
    float of[kRounds][kParts][kPack];
  };
  struct Angles {
    SinCos<float> of[kPairRounds][kPairs];
  };

  /// Calls `visit(round, part, place in the row)` for each pack that a lane holds.
  template <class Visit>
  __device__ static void for_each_pack(int lane, Visit visit) {
    constexpr int kSlotStride = kShape.is_half ? kPack : kParts * kPack;
    constexpr int kPartStride = kShape.is_half ? kShape.rotary_dim / 2 : 1;
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int slot = round * kShape.group + lane;
      if (slot < kPairSlots) {
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
          visit(round, part, kShape.rotary_offset + slot * kSlotStride + part * kPartStride);
        }
      } else if (slot < kSlots) {
        const int before = (slot - kPairSlots) * kPack;
        visit(round, 0, before < kShape.rotary_offset ? before : before + kShape.rotary_dim);
      }
    }
  }

  /// Calls `visit(element, other's element)` for each element that a lane holds.
  template <class Visit>
  __device__ static void for_each_pair_of(int lane, Values& row, const Values& other, Visit visit) {
    for_each_pack(lane, [&](int round, int part, int) {
#pragma unroll
      for (int i = 0; i < kPack; ++i) visit(row.of[round][part][i], other.of[round][part][i]);
    });
  }
  template <class Visit>
  __device__ static void for_each(int lane, Values& row, Visit visit) {
    for_each_pack(lane, [&](int round, int part, int) {
#pragma unroll
      for (float& value : row.of[round][part]) visit(value);
    });
  }

  template <class From>
  __device__ static void load(const typename From::Storage* from, int lane, Values& row) {
    for_each_pack(lane,
                  [&](int round, int part, int at) { load_pack<From>(from + at, row.of[round][part]); });
  }
  template <class To>
  __device__ static void store(const Values& row, int lane, float scale, typename To::Storage* to) {
    for_each_pack(
        lane, [&](int round, int part, int at) { store_scaled<To>(to + at, row.of[round][part], scale); });
  }

  __device__ static void rotate(const Angles& angles, int lane, Values& row) {
#pragma unroll
    for (int round = 0; round < kPairRounds; ++round) {
      if (round * kShape.group + lane >= kPairSlots) continue;
      auto& parts = row.of[round];
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        float& x = kParts == 2 ? parts[0][i] : parts[0][2 * i];
        float& y = kParts == 2 ? parts[kParts - 1][i] : parts[0][2 * i + 1];
        ::rotate(x, y, angles.of[round][i].sin, angles.of[round][i].cos);
      }
    }
  }
};
