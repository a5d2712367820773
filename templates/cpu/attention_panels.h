// Queries, keys and values of a tile as panels of floats that matrix products take. Their elements may stand
// in another order than in memory, that of X's lanes, the same in all of them.
#pragma once

#include "cpu/attention_keys.h"
#include "cpu/element.h"
#include "cpu/register.h"
#include "cpu/transpose.h"

/// Rows of panels are whole vectors.
constexpr int padded_to_lanes(int dim) {
  return (dim + kLanes - 1) / kLanes * kLanes;
}

/// The first kCount elements, the others 0.
template <class E, int kCount>
inline Floats load_first(const typename E::Storage* from) {
  if constexpr (kCount >= kLanes) {
    return E::load(from);
  } else {
    typename E::Storage all[kLanes] = {};
    __builtin_memcpy(all, from, kCount * sizeof(typename E::Storage));
    return E::load(all);
  }
}

/// Calls body(at, count) for each vector of a row of kDim elements, count being a constant: kLanes, but for
/// the last.
template <int kCount>
struct Constant {
  static constexpr int value = kCount;
};
template <int kDim, class Body>
inline void for_each_vector(Body body) {
  constexpr int kWhole = kDim / kLanes * kLanes;
#pragma clang loop unroll(disable)
  for (int at = 0; at < kWhole; at += kLanes) body(at, Constant<kLanes>{});
  if constexpr (kWhole != kDim) body(kWhole, Constant<kDim - kWhole>{});
}

/// A row of kDim elements of type E, in X's order, at `to`.
template <class X, class E, int kDim>
inline void pack_row(const typename E::Storage* from, float* to) {
  for_each_vector<kDim>([&](int at, auto count) {
    const Floats values = in_order_of<X, E>(load_first<E, decltype(count)::value>(from + at));
    __builtin_memcpy(to + at, &values, sizeof values);
  });
}

/// The words of a matrix widened: two elements each, the first ones' and the second ones' half a vector
/// apart.
inline void store_pairs(const WordMatrix& matrix, float* to) {
#pragma clang loop unroll(full)
  for (int i = 0; i < kRegisterLanes; ++i) {
    const RegisterWords pair = matrix.rows[i];
    store_register(to + i * kKeyTile, __builtin_bit_cast(RegisterFloats, pair << 16));
    store_register(to + (kRegisterLanes + i) * kKeyTile,
                   __builtin_bit_cast(RegisterFloats, pair & 0xFFFF0000u));
  }
}

/// One vector of each of a register's number of keys, turned over: kLanes rows of the panel.
template <class X, class E, int kCount>
inline void pack_key_block(const typename E::Storage* const* rows, int at, float* to) {
  if constexpr (__is_same(E, Bf16)) {
    // Turned over two elements at a time, and taken apart afterwards.
    static_assert(X::kEvensThenOdds);
    WordMatrix pairs;
#pragma clang loop unroll(full)
    for (int i = 0; i < kRegisterLanes; ++i) {
      pairs.rows[i] = RegisterWords(0u);
      __builtin_memcpy(&pairs.rows[i], rows[i] + at, kCount * sizeof(typename E::Storage));
    }
    transpose(pairs);
    store_pairs(pairs, to);
  } else {
    WordMatrix halves[2];
#pragma clang loop unroll(full)
    for (int i = 0; i < kRegisterLanes; ++i) {
      const auto bits = __builtin_bit_cast(Words, in_order_of<X, E>(load_first<E, kCount>(rows[i] + at)));
      halves[0].rows[i] = first_register(bits);
      halves[1].rows[i] = second_register(bits);
    }
    for (int half = 0; half < 2; ++half) {
      transpose(halves[half]);
#pragma clang loop unroll(full)
      for (int i = 0; i < kRegisterLanes; ++i) {
        store_register(to + (half * kRegisterLanes + i) * kKeyTile,
                       __builtin_bit_cast(RegisterFloats, halves[half].rows[i]));
      }
    }
  }
}

/// Keys of kDim elements, turned over: [padded_to_lanes(kDim)][kKeyTile].
template <class X, class E, int kDim>
inline void pack_keys(const KeyRows<typename E::Storage>& rows, float* to) {
#pragma clang loop unroll(disable)
  for (int key = 0; key < kKeyTile; key += kRegisterLanes) {
    for_each_vector<kDim>([&](int at, auto count) {
      pack_key_block<X, E, decltype(count)::value>(rows.at + key, at, to + at * kKeyTile + key);
    });
  }
}

/// Values of kDim elements: [kKeyTile][padded_to_lanes(kDim)].
template <class X, class E, int kDim>
inline void pack_values(const KeyRows<typename E::Storage>& rows, float* to) {
#pragma clang loop unroll(disable)
  for (int key = 0; key < kKeyTile; ++key)
    pack_row<X, E, kDim>(rows.at[key], to + key * padded_to_lanes(kDim));
}
