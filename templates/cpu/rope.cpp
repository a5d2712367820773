// rope for the CPU. A token's sines and cosines are computed once, as vectors in the order in which its
// elements are loaded, and used for all of its heads.

#include <lathe/args.h>

#include "common/options.h"
#include "common/rope_tokens.h"
#include "cpu/rotation.h"
#include "cpu/rows.h"

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
constexpr int kHeadDim = 2;
constexpr int kRotaryDim = 2;
constexpr int kRotaryOffset = 0;
constexpr RopePairs kPairing = RopePairs::half;
constexpr RopePositions kPositions = RopePositions::ids;
constexpr bool kHasTable = true;
/// A number per pair, and zeros up to a multiple of 32.
constexpr Angle kTurns[] = {0};
constexpr float kAttentionFactor = 1.0f;
constexpr int kSections[] = {1};
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
constexpr int kTokensPerBlock = 4;
// lathe:end

using lathe::Index;

namespace {

constexpr int kPositionCount = sizeof(kSections) / sizeof(int);
constexpr int kPairCount = kRotaryDim / 2;
constexpr int kPairVectors = (kPairCount + kLanes - 1) / kLanes;
constexpr bool kIsHalf = kPairing == RopePairs::half;
/// Elements that are loaded one after the other: of half pairs the first ones.
constexpr int kRun = kIsHalf ? kPairCount : kRotaryDim;
constexpr int kRunVectors = (kRun + kLanes - 1) / kLanes;
/// In Casting::none every step is rounded to the element type.
constexpr bool kRoundSteps = kNormCasting == Casting::none;
constexpr bool kRoundProducts = kNormCasting != Casting::gemma;
/// Outputs beyond this do not stay in the caches anyway; writing past them spares reading the lines first.
constexpr Index kStreamingBytes = Index{8} << 20;

using Positions = TokenPositions<kPositionCount>;

/// In X's lane order. Of neighbouring pairs, for each element, the sine with the sign that its partner has.
struct Angles {
  SinCos<Floats> of[kRunVectors];
};

/// Where a head of q, or of k, goes. A null pointer: nowhere.
struct Destination {
  Out::Storage* out;
  Index out_stride;
  Cache::Storage* cache;
  Index cache_stride;
  float scale;
  bool streams;
};

/// Natural order, one number per pair; NaN for a position beyond the table.
struct PairAngles {
  float sin[kPairVectors * kLanes];
  float cos[kPairVectors * kLanes];
};

inline void compute_angles(const Positions& positions, PairAngles& angles) {
  for (int v = 0; v < kPairVectors; ++v) {
    AngleVector angle;
    __builtin_memcpy(&angle, kTurns + v * kLanes, sizeof angle);
    if constexpr (kPositionCount == 1) {
      angle *= static_cast<Angle>(positions.of[0]);
    } else {
      for (int i = 0; i < kLanes; ++i)
        angle[i] *= static_cast<Angle>(positions.of[section_of<kSectionOrder>(kSections, v * kLanes + i)]);
    }
    const SinCos<Floats> exact = sin_cos_of(angle);
    F32::store(angles.sin + v * kLanes, exact.sin);
    F32::store(angles.cos + v * kLanes, exact.cos);
  }
}

inline void read_table(const void* table, Index stride, Index rows, const Positions& positions,
                       float* values) {
  for (int position = 0; position < kPositionCount; ++position) {
    const Index row = positions.of[position];
    const bool is_there = row >= 0 && row < rows;
    const auto* from = static_cast<const Table::Storage*>(table) + (is_there ? row * stride : 0);
    for (int v = 0; v < kPairVectors; ++v) {
      const int at = v * kLanes;
      Floats these = __builtin_nanf("");
      if (is_there)
        these = plain_for<X, Table>(in_order_of<F32, Table>(load_up_to<Table>(kPairCount - at, from + at)));
      if constexpr (kPositionCount == 1) {
        F32::store(values + at, these);
      } else {
        for (int i = 0; i < kLanes; ++i) {
          if (section_of<kSectionOrder>(kSections, at + i) == position) values[at + i] = these[i];
        }
      }
    }
  }
}

inline Angles find_angles(const lathe::RopeArgs& args, const Positions& positions) {
  PairAngles pairs;
  if constexpr (kHasTable) {
    read_table(args.sin, args.sin_row_stride, args.table_rows, positions, pairs.sin);
    read_table(args.cos, args.cos_row_stride, args.table_rows, positions, pairs.cos);
  } else {
    compute_angles(positions, pairs);
  }
  Angles angles;
  for (int v = 0; v < kRunVectors; ++v) {
    angles.of[v] =
        kIsHalf ? of_first_elements<X>(pairs.sin, pairs.cos, v) : of_neighbours<X>(pairs.sin, pairs.cos, v);
    angles.of[v].sin *= kInverse ? -kAttentionFactor : kAttentionFactor;
    angles.of[v].cos *= kAttentionFactor;
  }
  return angles;
}

inline Floats rounded_if(bool rounds, Floats values) {
  return rounds ? X::round(values) : values;
}

/// One head of one token, as it is to be rotated.
struct Row {
  const X::Storage* x;
  const W::Storage* weight;
  float rstd;

  Floats load_at(int at, int count) const {
    Floats values = load_up_to<X>(count, x + at);
    if constexpr (!kNorm) return values;
    values = rounded_if(kRoundProducts, values * rstd);
    if constexpr (!kNormHasWeight) return values;
    Floats w = plain_for<X, W>(in_order_of<X, W>(load_up_to<W>(count, weight + at)));
    if constexpr (kNormWeightOffset != 0.0f) w += kNormWeightOffset;
    return rounded_if(kRoundProducts, values * rounded_if(kRoundSteps, w));
  }
};

inline float reciprocal_root(const X::Storage* x, float epsilon) {
  Floats sums = 0.0f;
  for (int at = 0; at < kHeadDim; at += kLanes) {
    const Floats values = load_up_to<X>(kHeadDim - at, x + at);
    sums += rounded_if(kRoundSteps, values * values);
  }
  const float mean = sum_of_lanes(sums) / kHeadDim;
  if constexpr (!kRoundSteps) return 1.0f / __builtin_sqrtf(mean + epsilon);
  return X::round(1.0f / __builtin_sqrtf(X::round(X::round(mean) + epsilon)));
}

template <class To>
inline void rotate_row(const Row& row, const Angles& angles, typename To::Storage* to, float scale,
                       bool streams) {
#pragma clang loop unroll_count(2)
  for (int v = 0; v < kRunVectors; ++v) {
    const int at = kRotaryOffset + v * kLanes;
    const int count = kRun - v * kLanes;
    if constexpr (kIsHalf) {
      prefetch_behind<X>(row.x + at);
      prefetch_behind<X>(row.x + at + kPairCount);
      Floats x = row.load_at(at, count);
      Floats y = row.load_at(at + kPairCount, count);
      rotate(x, y, angles.of[v].sin, angles.of[v].cos);
      store_up_to<X, To>(count, to + at, x, scale, streams);
      store_up_to<X, To>(count, to + at + kPairCount, y, scale, streams);
    } else {
      prefetch_behind<X>(row.x + at);
      const Floats x = row.load_at(at, count);
      const Floats turned = x * angles.of[v].cos + partners_of<X>(x) * angles.of[v].sin;
      store_up_to<X, To>(count, to + at, turned, scale, streams);
    }
  }
}

/// Elements of a row that are not rotated.
template <class To, int kBegin, int kEnd>
inline void pass_part(const Row& row, typename To::Storage* to, float scale, bool streams) {
  if constexpr (!kNorm) {
    copy_row<X, To, kEnd - kBegin>(row.x + kBegin, to + kBegin, scale, streams);
  } else {
    for (int at = kBegin; at < kEnd; at += kLanes) {
      store_up_to<X, To>(kEnd - at, to + at, row.load_at(at, kEnd - at), scale, streams);
    }
  }
}

template <class To>
inline void do_row(const Row& row, const Angles& angles, typename To::Storage* to, float scale,
                   bool streams) {
  rotate_row<To>(row, angles, to, scale, streams);
  pass_part<To, 0, kRotaryOffset>(row, to, scale, streams);
  pass_part<To, kRotaryOffset + kRotaryDim, kHeadDim>(row, to, scale, streams);
}

template <int kCount>
inline void do_heads(const X::Storage* from, Index stride, const Destination& to, const Angles& angles,
                     const void* weight, float epsilon) {
  for (Index head = 0; head < kCount; ++head) {
    Row row{from + head * stride, static_cast<const W::Storage*>(weight), 1.0f};
    if constexpr (kNorm) row.rstd = reciprocal_root(row.x, epsilon);
    // The cache first: what is written in place is not there any more.
    if (to.cache != nullptr) {
      do_row<Cache>(row, angles, to.cache + head * to.cache_stride, to.scale, false);
    }
    if (to.out != nullptr) do_row<Out>(row, angles, to.out + head * to.out_stride, to.scale, to.streams);
  }
}

/// Heads of kDim elements, as they are.
template <int kCount, int kDim>
inline void copy_heads(const X::Storage* from, Index stride, const Destination& to) {
  if constexpr (kDim == 0) return;
  for (Index head = 0; head < kCount; ++head) {
    const X::Storage* row = from + head * stride;
    if (to.cache != nullptr)
      copy_row<X, Cache, kDim>(row, to.cache + head * to.cache_stride, to.scale, false);
    if (to.out != nullptr) copy_row<X, Out, kDim>(row, to.out + head * to.out_stride, to.scale, to.streams);
  }
}

template <class T>
inline T* at_token(void* base, Index token, Index stride) {
  return base == nullptr ? nullptr : static_cast<T*>(base) + token * stride;
}
inline const X::Storage* at_token(const void* base, Index token, Index stride) {
  return base == nullptr ? nullptr : static_cast<const X::Storage*>(base) + token * stride;
}
inline Cache::Storage* at_entry(void* base, CachePlace place, Index page, Index entry) {
  if (kAppend == RopeAppend::none || place.page < 0 || base == nullptr) return nullptr;
  return static_cast<Cache::Storage*>(base) + place.page * page + place.entry * entry;
}

inline void do_token(const lathe::RopeArgs& a, Index token, const Positions& positions, bool streams) {
  using O = Out::Storage;
  const Angles angles = find_angles(a, positions);
  const CachePlace place = cache_place_of<kAppend, kPageSize, Slot>(a, token);
  do_heads<kHeads>(at_token(a.q, token, a.q_token_stride), a.q_head_stride,
                   {at_token<O>(a.q_out, token, a.q_out_token_stride), a.q_out_head_stride, nullptr, 0,
                    a.q_scale, streams && a.q_out != a.q},
                   angles, a.q_norm_weight, a.epsilon);
  do_heads<kKvHeads>(at_token(a.k, token, a.k_token_stride), a.k_head_stride,
                     {at_token<O>(a.k_out, token, a.k_out_token_stride), a.k_out_head_stride,
                      at_entry(a.k_cache, place, a.k_cache_page_stride, a.k_cache_entry_stride),
                      a.k_cache_head_stride, a.k_scale, streams && a.k_out != a.k},
                     angles, a.k_norm_weight, a.epsilon);
  copy_heads<kHeads, kQNopeDim>(at_token(a.q_nope, token, a.q_nope_token_stride), a.q_nope_head_stride,
                                {at_token<O>(a.q_nope_out, token, a.q_nope_out_token_stride),
                                 a.q_nope_out_head_stride, nullptr, 0, a.q_scale, streams});
  copy_heads<kKvHeads, kKNopeDim>(
      at_token(a.k_nope, token, a.k_nope_token_stride), a.k_nope_head_stride,
      {at_token<O>(a.k_nope_out, token, a.k_nope_out_token_stride), a.k_nope_out_head_stride,
       at_entry(a.k_nope_cache, place, a.k_nope_cache_page_stride, a.k_nope_cache_entry_stride),
       a.k_nope_cache_head_stride, a.k_scale, streams});
  copy_heads<kKvHeads, kVDim>(
      at_token(a.v, token, a.v_token_stride), a.v_head_stride,
      {nullptr, 0, at_entry(a.v_cache, place, a.v_cache_page_stride, a.v_cache_entry_stride),
       a.v_cache_head_stride, a.v_scale, false});
}

}  // namespace

extern "C" void lathe_rope(const lathe::RopeArgs* args, Index first_block, Index last_block) {
  constexpr Index kTokenBytes =
      ((kHeads + kKvHeads) * Index{kHeadDim} + kHeads * Index{kQNopeDim} + kKvHeads * Index{kKNopeDim}) *
      Index{sizeof(Out::Storage)};
  const bool streams = args->tokens >= kStreamingBytes / kTokenBytes;
  const Index last = last_block * kTokensPerBlock;
  const Index end = last < args->tokens ? last : args->tokens;
  for (Index token = first_block * kTokensPerBlock; token < end; ++token) {
    const Positions positions = positions_of<kPositions, kPositionCount, Position>(*args, token);
    if (positions.exists) do_token(*args, token, positions, streams);
  }
  // Streaming stores are not ordered with later ones, such as the one that tells another thread of this
  // block.
  if (streams) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
