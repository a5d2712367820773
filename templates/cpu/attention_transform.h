// What happens to rows of q and k before their product, where a spec asks for it: rotary embeddings, hooks.
#pragma once

#include <lathe/args.h>

#include "cpu/attention_panels.h"
#include "cpu/rotation.h"
#include "user/attention_hooks.h"

/// Turns the pairs (i, i + kHeadDim / 2) of a row. Spec gives kTurns, per pair, padded to whole vectors, and
/// kRopeFactor.
template <class Spec>
inline void rotate_halves(float* row, lathe::Index position) {
  constexpr int kPairs = Spec::kHeadDim / 2;
  for_each_vector<kPairs>([&](int at, auto count) {
    constexpr int kCount = decltype(count)::value;
    AngleVector turns;
    __builtin_memcpy(&turns, Spec::kTurns + at, sizeof turns);
    const SinCos<Floats> turn = sin_cos_of(turns * static_cast<Angle>(position));
    Floats x = load_first<F32, kCount>(row + at);
    Floats y = load_first<F32, kCount>(row + kPairs + at);
    rotate(x, y, turn.sin * Spec::kRopeFactor, turn.cos * Spec::kRopeFactor);
    __builtin_memcpy(row + at, &x, kCount * sizeof(float));
    __builtin_memcpy(row + kPairs + at, &y, kCount * sizeof(float));
  });
}

/// A row of kDim elements as floats in memory's order.
template <class E, int kDim>
inline void widen_row(const typename E::Storage* from, float* to) {
  for_each_vector<kDim>([&](int at, auto count) {
    constexpr int kCount = decltype(count)::value;
    const Floats values = in_order_of<F32, E>(load_first<E, kCount>(from + at));
    __builtin_memcpy(to + at, &values, kCount * sizeof(float));
  });
}

template <class Spec>
inline void transform_query(float* row, const AttentionPlace& at, const void* data) {
  if constexpr (Spec::kHasRope)
    rotate_halves<Spec>(row, lathe::Index{at.kv_length} - at.query_length + at.query);
  if constexpr (Spec::kHasQueryHook) {
    for (int dim = 0; dim < Spec::kHeadDim; ++dim) row[dim] = query_hook(row[dim], dim, at, data);
  }
}

/// `scale` is that of the stored keys: hooks see it applied.
template <class Spec>
inline void transform_key(float* row, float scale, const AttentionPlace& at, const void* data) {
  if constexpr (Spec::kHasRope) rotate_halves<Spec>(row, at.key);
  if constexpr (Spec::kHasKeyHook) {
    for (int dim = 0; dim < Spec::kHeadDim; ++dim) row[dim] = key_hook(row[dim] * scale, dim, at, data);
  }
}
