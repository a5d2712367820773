// Vectors of rotations: sines and cosines of exact angles, and pairs that are neighbours.
#pragma once

#include "common/rotation.h"
#include "cpu/element.h"

using Ints = int __attribute__((ext_vector_type(kLanes)));
using AngleVector = Angle __attribute__((ext_vector_type(kLanes)));
using SignedAngleVector = long long __attribute__((ext_vector_type(kLanes)));
using RegisterFloats = float __attribute__((ext_vector_type(kRegisterLanes)));

/// As of one angle, see common/rotation.h.
inline SinCos<Floats> sin_cos_of(AngleVector angle) {
  const AngleVector quarter = (angle + (1ull << 61)) >> 62;
  const AngleVector rest = angle - (quarter << 62);
  const auto sign = __builtin_bit_cast(AngleVector, __builtin_bit_cast(SignedAngleVector, rest) >> 63);
  const AngleVector size = (rest ^ sign) - sign;
  const Floats high = __builtin_convertvector(__builtin_convertvector(size >> 31, Ints), Floats);
  const Floats low = __builtin_convertvector(__builtin_convertvector(size & 0x7FFFFFFFull, Ints), Floats);
  const Floats turns = high * 0x1p-33f + low * 0x1p-64f;
  const Words is_negative = __builtin_convertvector(sign, Words);
  const Words number = __builtin_convertvector(quarter, Words);
  const SinCos<Floats> near = sin_cos_near_zero(
      __builtin_bit_cast(Floats, __builtin_bit_cast(Words, turns) | (is_negative & 0x80000000u)));
  const auto is_odd = (number & 1u) != 0u;
  const Floats sin = is_odd ? near.cos : near.sin;
  const Floats cos = is_odd ? near.sin : near.cos;
  const Words sin_sign = (number & 2u) << 30;
  const Words cos_sign = ((number + 1u) & 2u) << 30;
  return {__builtin_bit_cast(Floats, __builtin_bit_cast(Words, sin) ^ sin_sign),
          __builtin_bit_cast(Floats, __builtin_bit_cast(Words, cos) ^ cos_sign)};
}

template <int... kI>
inline Floats joined_floats(RegisterFloats first, RegisterFloats second, Indices<kI...>) {
  return __builtin_shufflevector(first, second, kI...);
}
template <int... kI>
inline Floats halves_swapped(Floats v, Indices<kI...>) {
  return __builtin_shufflevector(v, v, ((kI + kRegisterLanes) % kLanes)...);
}

/// Of pairs' values, those of their elements, first elements first: in X's lane order.
template <class X>
inline Floats of_elements(RegisterFloats first, RegisterFloats second) {
  const Floats v = joined_floats(first, second, Counting<kLanes>{});
  if constexpr (X::kEvensThenOdds) return v;
  return interleaved(v);
}

/// Each element's partner, of pairs that are neighbours in memory.
template <class X>
inline Floats partners_of(Floats v) {
  if constexpr (X::kEvensThenOdds) return halves_swapped(v, Counting<kLanes>{});
  return interleaved(halves_swapped(evens_then_odds(v), Counting<kLanes>{}));
}

// Sines and cosines of pairs, one after the other in memory, as those of the v-th vector of elements, in X's
// lane order.

/// Of the pairs' first elements, where these lie one after the other.
template <class X>
inline SinCos<Floats> of_first_elements(const float* sin, const float* cos, int v) {
  return {in_order_of<X, F32>(F32::load(sin + v * kLanes)), in_order_of<X, F32>(F32::load(cos + v * kLanes))};
}

/// Of pairs that are neighbours: sines with the sign that the partner has.
template <class X>
inline SinCos<Floats> of_neighbours(const float* sin, const float* cos, int v) {
  RegisterFloats s;
  RegisterFloats c;
  __builtin_memcpy(&s, sin + v * kRegisterLanes, sizeof s);
  __builtin_memcpy(&c, cos + v * kRegisterLanes, sizeof c);
  return {of_elements<X>(-s, s), of_elements<X>(c, c)};
}
