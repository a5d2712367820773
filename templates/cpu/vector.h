// Vectors of floats, two of the target's registers wide. Vector extensions of Clang; no intrinsics, no system
// headers.
#pragma once

#if defined(__AVX512F__)
constexpr int kRegisterLanes = 16;
#elif defined(__AVX__)
constexpr int kRegisterLanes = 8;
#else
constexpr int kRegisterLanes = 4;
#endif

/// Two registers, so that 16-bit elements fill a whole one and can be taken apart without crossing lanes.
constexpr int kLanes = 2 * kRegisterLanes;

using Floats = float __attribute__((ext_vector_type(kLanes)));
using Words = unsigned __attribute__((ext_vector_type(kLanes)));
using Halfwords = unsigned short __attribute__((ext_vector_type(kLanes)));
using Bytes = unsigned char __attribute__((ext_vector_type(kLanes)));
using RegisterWords = unsigned __attribute__((ext_vector_type(kRegisterLanes)));

template <int... kIndices>
struct Indices {};

template <class Int, Int... kIndices>
struct Sequence {
  using Type = Indices<kIndices...>;
};

/// 0 to N - 1.
template <int N>
using Counting = typename __make_integer_seq<Sequence, int, N>::Type;

// Shuffles take their indices as arguments; these write them down for any width.

template <int... kI>
inline Floats evens_then_odds(Floats v, Indices<kI...>) {
  return __builtin_shufflevector(v, v, (2 * kI % kLanes + 2 * kI / kLanes)...);
}
/// Lanes 0, 2, 4 ..., then lanes 1, 3, 5 ...
inline Floats evens_then_odds(Floats v) {
  return evens_then_odds(v, Counting<kLanes>{});
}

template <int... kI>
inline Floats interleaved(Floats v, Indices<kI...>) {
  return __builtin_shufflevector(v, v, (kI % 2 * kRegisterLanes + kI / 2)...);
}
/// The inverse of evens_then_odds.
inline Floats interleaved(Floats v) {
  return interleaved(v, Counting<kLanes>{});
}

template <int kFirst, int... kI>
inline RegisterWords register_of(Words v, Indices<kI...>) {
  return __builtin_shufflevector(v, v, (kFirst + kI)...);
}
inline RegisterWords first_register(Words v) {
  return register_of<0>(v, Counting<kRegisterLanes>{});
}
inline RegisterWords second_register(Words v) {
  return register_of<kRegisterLanes>(v, Counting<kRegisterLanes>{});
}

template <int... kI>
inline Words joined(RegisterWords first, RegisterWords second, Indices<kI...>) {
  return __builtin_shufflevector(first, second, kI...);
}
inline Words joined(RegisterWords first, RegisterWords second) {
  return joined(first, second, Counting<kLanes>{});
}

/// All lanes added, halves onto halves.
inline float sum_of_lanes(Floats v) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) v[i] += v[i + width];
  }
  return v[0];
}

inline Floats magnitude(Floats v) {
  return __builtin_bit_cast(Floats, __builtin_bit_cast(Words, v) & 0x7FFFFFFFu);
}

/// Per lane; where b is NaN, a.
inline Floats larger(Floats a, Floats b) {
  return b > a ? b : a;
}

inline float largest_of_lanes(Floats v) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) v[i] = v[i + width] > v[i] ? v[i + width] : v[i];
  }
  return v[0];
}
