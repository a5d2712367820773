// rope for NVIDIA GPUs of sm_80 and up. A group of lanes shares a row (one head of one token), a few groups
// share a token and take turns with its heads: a thread computes the sines and cosines of its pairs once and
// uses them for every head that it meets. What is not rotated is copied beside it.

#include <lathe/args.h>

#include "common/options.h"
#include "common/rope_tokens.h"
#include "common/rotation.h"
#include "cuda/copy_rows.cuh"
#include "cuda/reduce.cuh"
#include "cuda/rotated_row.cuh"

// lathe:parameters
using X = Bf16;
using Out = Bf16;    // of q_out and k_out
using Cache = Bf16;  // of the caches
using W = Bf16;
using Table = F32;
using Position = long long;
using Slot = long long;
constexpr int kHeads = 32;
constexpr int kKvHeads = 8;
constexpr int kHeadDim = 16;
constexpr int kRotaryDim = 16;
constexpr int kRotaryOffset = 0;
constexpr RopePairs kPairing = RopePairs::half;
constexpr RopePositions kPositions = RopePositions::ids;
constexpr bool kHasTable = false;
/// Of pair p: element p % kPairs * kPairSlots + p / kPairs, so that neighbouring lanes read neighbours.
constexpr Angle kTurns[] = {0x28be60db9391054a, 0, 0, 0, 0, 0, 0, 0};
constexpr float kAttentionFactor = 1.0f;
constexpr int kSections[] = {8};
constexpr RopeSections kSectionOrder = RopeSections::consecutive;
constexpr bool kInverse = false;
constexpr bool kNorm = false;
constexpr bool kNormHasWeight = true;
constexpr float kNormWeightOffset = 0.0f;
constexpr Casting kNormCasting = Casting::gemma;
constexpr int kQNopeDim = 0;
constexpr int kKNopeDim = 0;
constexpr RopeAppend kAppend = RopeAppend::none;
constexpr int kVDim = 0;
constexpr int kPageSize = 16;
constexpr int kPack = 8;       // elements per access
constexpr int kGroup = 1;      // lanes that share a row
constexpr int kHeadLanes = 4;  // groups that share a token
constexpr int kThreads = 128;
// lathe:end

using lathe::Index;

constexpr int kTokenThreads = kGroup * kHeadLanes;
constexpr int kTokensPerBlock = kThreads / kTokenThreads;
constexpr int kPositionCount = sizeof(kSections) / sizeof(int);
/// In Casting::none every step is rounded to the element type.
constexpr bool kRoundSteps = kNormCasting == Casting::none;
/// With a norm, a row's other elements are held too.
using Row = RotatedRow<X, RowShape{.head_dim = kHeadDim,
                                   .rotary_dim = kRotaryDim,
                                   .rotary_offset = kRotaryOffset,
                                   .is_half = kPairing == RopePairs::half,
                                   .holds_all = kNorm,
                                   .pack = kPack,
                                   .group = kGroup}>;
/// Rows whose loads are under way together.
constexpr int kBatch = Row::kRounds > 2 ? 1 : 2;
using Positions = TokenPositions<kPositionCount>;

/// Where a head of q, or of k, goes. A null pointer: nowhere.
struct Destination {
  Out::Storage* out;
  Index out_stride;
  Cache::Storage* cache;
  Index cache_stride;
  float scale;
};

__device__ inline SinCos<float> turned(float sin, float cos) {
  return {sin * (kInverse ? -kAttentionFactor : kAttentionFactor), cos * kAttentionFactor};
}

__device__ inline Index position_for(const Positions& positions, int pair) {
  const int section = section_of<kSectionOrder>(kSections, pair);
  Index position = positions.of[0];
#pragma unroll
  for (int i = 1; i < kPositionCount; ++i) position = section == i ? positions.of[i] : position;
  return position;
}

/// Neighbouring pairs' angles from the table: of one position in one access, else one by one.
template <int kPairs>
__device__ inline void read_angles(const lathe::RopeArgs& args, const Positions& positions, int first,
                                   SinCos<float> (&angles)[kPairs]) {
  const auto* cos_table = static_cast<const Table::Storage*>(args.cos) + first;
  const auto* sin_table = static_cast<const Table::Storage*>(args.sin) + first;
  float cos[kPairs];
  float sin[kPairs];
#pragma unroll
  for (int i = 0; i < kPairs; ++i) cos[i] = sin[i] = __uint_as_float(0x7FC00000u);
  constexpr int kStep = kPositionCount == 1 ? kPairs : 1;
#pragma unroll
  for (int i = 0; i < kPairs; i += kStep) {
    const Index row = position_for(positions, first + i);
    if (row < 0 || row >= args.table_rows) continue;
    load_pack<Table>(cos_table + row * args.cos_row_stride + i, reinterpret_cast<float(&)[kStep]>(cos[i]));
    load_pack<Table>(sin_table + row * args.sin_row_stride + i, reinterpret_cast<float(&)[kStep]>(sin[i]));
  }
#pragma unroll
  for (int i = 0; i < kPairs; ++i) angles[i] = turned(sin[i], cos[i]);
}

/// The groups that share a token compute a part of their pairs' angles each, and exchange them. All
/// lanes of the warp must call it.
__device__ inline void find_angles(const lathe::RopeArgs& args, const Positions& positions,
                                   Row::Angles& angles) {
  static_assert(kTokenThreads <= 32, "a token is within one warp");
  constexpr int kSharers = kHeadLanes < Row::kPairs ? kHeadLanes : Row::kPairs;
  constexpr int kOwn = Row::kPairs / kSharers;
  const int lane = threadIdx.x % 32;
  const int part = lane / kGroup % kSharers;
#pragma unroll
  for (int round = 0; round < Row::kPairRounds; ++round) {
    const int slot = round * kGroup + lane % kGroup;
    SinCos<float> own[kOwn] = {};
    if (positions.exists && slot < Row::kPairSlots) {
      const int first = slot * Row::kPairs + part * kOwn;
      if constexpr (kHasTable) {
        read_angles(args, positions, first, own);
      } else {
#pragma unroll
        for (int i = 0; i < kOwn; ++i) {
          const auto position = static_cast<Angle>(position_for(positions, first + i));
          const SinCos<float> exact =
              sin_cos_of(position * kTurns[(part * kOwn + i) * Row::kPairSlots + slot]);
          own[i] = turned(exact.sin, exact.cos);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < Row::kPairs; ++i) {
      const SinCos<float> mine = own[i % kOwn];
      const int owner = (lane & ~((kSharers - 1) * kGroup)) + i / kOwn * kGroup;
      angles.of[round][i] = kSharers == 1 ? mine
                                          : SinCos<float>{__shfl_sync(0xFFFFFFFFu, mine.sin, owner),
                                                          __shfl_sync(0xFFFFFFFFu, mine.cos, owner)};
    }
  }
}

__device__ inline float rounded_if(bool rounds, float value) {
  return rounds ? rounded<X>(value) : value;
}

__device__ inline void load_weight(const void* from, int lane, Row::Values& weight) {
  if constexpr (kNorm && kNormHasWeight) {
    Row::load<W>(static_cast<const W::Storage*>(from), lane, weight);
    Row::for_each(lane, weight, [](float& w) { w = rounded_if(kRoundSteps, w + kNormWeightOffset); });
  }
}

/// All lanes of the warp must call it.
__device__ inline void normalize(Row::Values& row, const Row::Values& weight, int lane, float epsilon) {
  constexpr bool kRounds = kNormCasting != Casting::gemma;
  float sum = 0.0f;
  Row::for_each(lane, row, [&](float& x) { sum += rounded_if(kRoundSteps, x * x); });
  const float mean = rounded_if(kRoundSteps, sum_over_lanes<kGroup>(sum) / kHeadDim);
  const float rstd = rounded_if(kRoundSteps, 1.0f / sqrtf(rounded_if(kRoundSteps, mean + epsilon)));
  Row::for_each(lane, row, [&](float& x) { x = rounded_if(kRounds, x * rstd); });
  if constexpr (kNormHasWeight) {
    Row::for_each_pair_of(lane, row, weight, [](float& x, float w) { x = rounded_if(kRounds, x * w); });
  }
}

/// The rotated elements of this group's heads. Of no token: `from` is null. All lanes must call it.
template <int kCount>
__device__ inline void rotate_heads(const X::Storage* from, Index from_stride, const Destination& to,
                                    const Row::Angles& angles, const void* norm_weight, float epsilon) {
  const int lane = threadIdx.x % kGroup;
  const int first = blockIdx.y * kHeadLanes + threadIdx.x % kTokenThreads / kGroup;
  const int step = kHeadLanes * gridDim.y;
  Row::Values weight;
  load_weight(norm_weight, lane, weight);
  // As many rounds in each lane, because the norm's sum goes through all of them.
  for (int begin = 0; begin < kCount; begin += step * kBatch) {
    Row::Values rows[kBatch];
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int head = begin + first + i * step;
      if (from != nullptr && head < kCount) {
        Row::load<X>(from + head * from_stride, lane, rows[i]);
      } else {
        Row::for_each(lane, rows[i], [](float& x) { x = 0.0f; });
      }
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int head = begin + first + i * step;
      if constexpr (kNorm) normalize(rows[i], weight, lane, epsilon);
      if (from == nullptr || head >= kCount) continue;
      Row::rotate(angles, lane, rows[i]);
      if (to.out != nullptr) Row::store<Out>(rows[i], lane, to.scale, to.out + head * to.out_stride);
      if (to.cache != nullptr) Row::store<Cache>(rows[i], lane, to.scale, to.cache + head * to.cache_stride);
    }
  }
}

/// Elements [kBegin, kEnd) of every head, as they are.
template <int kCount, int kBegin, int kEnd>
__device__ inline void copy_heads(const X::Storage* from, Index from_stride, const Destination& to) {
  if constexpr (kBegin < kEnd && kCount > 0) {
    const int first = blockIdx.y * kTokenThreads + threadIdx.x % kTokenThreads;
    const int step = kTokenThreads * gridDim.y;
    using Copy = RowCopy<X, kCount, kEnd - kBegin, kPack>;
    const StridedRows<const X::Storage> source{from + kBegin, from_stride};
    if (to.out != nullptr)
      Copy::template run<Out>(source, {to.out + kBegin, to.out_stride}, to.scale, first, step);
    if (to.cache != nullptr)
      Copy::template run<Cache>(source, {to.cache + kBegin, to.cache_stride}, to.scale, first, step);
  }
}

/// Rotates what is to be rotated and copies the rest.
template <int kCount>
__device__ inline void do_heads(const X::Storage* from, Index from_stride, const Destination& to,
                                const Row::Angles& angles, const void* norm_weight, float epsilon) {
  if constexpr (kCount > 0) {
    rotate_heads<kCount>(from, from_stride, to, angles, norm_weight, epsilon);
    if (kNorm || from == nullptr) return;
    copy_heads<kCount, 0, kRotaryOffset>(from, from_stride, to);
    copy_heads<kCount, kRotaryOffset + kRotaryDim, kHeadDim>(from, from_stride, to);
  }
}

__device__ inline const X::Storage* row_of(const void* base, Index token, Index stride) {
  return base == nullptr ? nullptr : static_cast<const X::Storage*>(base) + token * stride;
}
__device__ inline Out::Storage* out_of(void* base, Index token, Index stride) {
  return base == nullptr ? nullptr : static_cast<Out::Storage*>(base) + token * stride;
}
__device__ inline Cache::Storage* entry_of(void* base, CachePlace place, Index page, Index entry) {
  if (kAppend == RopeAppend::none || place.page < 0 || base == nullptr) return nullptr;
  return static_cast<Cache::Storage*>(base) + place.page * page + place.entry * entry;
}

extern "C" __global__ void __launch_bounds__(kThreads)
    lathe_rope(const __grid_constant__ lathe::RopeArgs args) {
  const Index token = static_cast<Index>(blockIdx.x) * kTokensPerBlock + threadIdx.x / kTokenThreads;
  Positions positions{};
  if (token < args.tokens) positions = positions_of<kPositions, kPositionCount, Position>(args, token);
  Row::Angles angles;
  find_angles(args, positions, angles);
  // A lane without a token still takes part in the norm's sums.
  if (!kNorm && !positions.exists) return;
  CachePlace place{-1, 0};
  const X::Storage* q = nullptr;
  const X::Storage* k = nullptr;
  if (positions.exists) {
    place = cache_place_of<kAppend, kPageSize, Slot>(args, token);
    q = row_of(args.q, token, args.q_token_stride);
    k = row_of(args.k, token, args.k_token_stride);
  }
  do_heads<kHeads>(
      q, args.q_head_stride,
      {out_of(args.q_out, token, args.q_out_token_stride), args.q_out_head_stride, nullptr, 0, args.q_scale},
      angles, args.q_norm_weight, args.epsilon);
  do_heads<kKvHeads>(k, args.k_head_stride,
                     {out_of(args.k_out, token, args.k_out_token_stride), args.k_out_head_stride,
                      entry_of(args.k_cache, place, args.k_cache_page_stride, args.k_cache_entry_stride),
                      args.k_cache_head_stride, args.k_scale},
                     angles, args.k_norm_weight, args.epsilon);
  if (!positions.exists) return;
  copy_heads<kHeads, 0, kQNopeDim>(row_of(args.q_nope, token, args.q_nope_token_stride),
                                   args.q_nope_head_stride,
                                   {out_of(args.q_nope_out, token, args.q_nope_out_token_stride),
                                    args.q_nope_out_head_stride, nullptr, 0, args.q_scale});
  copy_heads<kKvHeads, 0, kKNopeDim>(
      row_of(args.k_nope, token, args.k_nope_token_stride), args.k_nope_head_stride,
      {out_of(args.k_nope_out, token, args.k_nope_out_token_stride), args.k_nope_out_head_stride,
       entry_of(args.k_nope_cache, place, args.k_nope_cache_page_stride, args.k_nope_cache_entry_stride),
       args.k_nope_cache_head_stride, args.k_scale});
  copy_heads<kKvHeads, 0, kVDim>(
      row_of(args.v, token, args.v_token_stride), args.v_head_stride,
      {nullptr, 0, entry_of(args.v_cache, place, args.v_cache_page_stride, args.v_cache_entry_stride),
       args.v_cache_head_stride, args.v_scale});
}
