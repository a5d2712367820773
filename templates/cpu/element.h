// Element types: how vectors of them are read, written and rounded to. Arithmetic is always in float.
#pragma once

#include "common/fp8.h"
#include "cpu/vector.h"

/// Copies `count` elements, fewer than a vector, one by one: nothing beyond them may be touched.
template <class T>
inline void copy_elements(T* to, const T* from, int count) {
#pragma clang loop vectorize(disable) unroll(disable)
  for (int i = 0; i < count; ++i) to[i] = from[i];
}

/// What the element types share. `Self` gives widen, narrow and round, all to nearest, ties to even. Lanes
/// may hold the elements in another order than memory does: evens, then odds.
template <class Self, class Storage, class Lanes>
struct Element {
  /// A whole vector, at any address.
  static Floats load(const Storage* from) {
    Lanes raw;
    __builtin_memcpy(&raw, from, sizeof raw);
    return Self::widen(raw);
  }
  static void store(Storage* to, Floats values) {
    const Lanes raw = Self::narrow(values);
    __builtin_memcpy(to, &raw, sizeof raw);
  }
  /// Past the caches. REQUIRES: `to` is a multiple of the vector's bytes.
  static void store_streaming(Storage* to, Floats values) {
    __builtin_nontemporal_store(Self::narrow(values), reinterpret_cast<Lanes*>(to));
  }
  /// The first `count` elements; the others are 0.
  static Floats load_tail(const Storage* from, int count) {
    Lanes raw = {};
    copy_elements(reinterpret_cast<Storage*>(&raw), from, count);
    return Self::widen(raw);
  }
  static void store_tail(Storage* to, Floats values, int count) {
    const Lanes raw = Self::narrow(values);
    copy_elements(to, reinterpret_cast<const Storage*>(&raw), count);
  }
  static float round(float value) { return Self::round(Floats(value))[0]; }

  static constexpr int kVectorBytes = sizeof(Lanes);
};

struct F32 : Element<F32, float, Floats> {
  using Storage = float;
  using Element::round;
  static constexpr bool kEvensThenOdds = false;
  static Floats widen(Floats raw) { return raw; }
  static Floats narrow(Floats values) { return values; }
  static Floats round(Floats values) { return values; }
};

/// Two elements share a word: the evens, then the odds, are had by a shift and a mask.
/// Narrow and round REQUIRE that a NaN's lower half is less than 0x8000, or rounding up may carry out of it
/// and leave a zero: those of bf16, and what arithmetic makes of them, have it clear. Others go through
/// plain_for first.
struct Bf16 : Element<Bf16, unsigned short, RegisterWords> {
  using Storage = unsigned short;
  using Element::round;
  static constexpr bool kEvensThenOdds = true;
  static Floats widen(RegisterWords raw) {
    return __builtin_bit_cast(Floats, joined(raw << 16, raw & 0xFFFF0000u));
  }
  static RegisterWords narrow(Floats values) {
    const Words bits = rounded_bits(values);
    return first_register(bits) >> 16 | (second_register(bits) & 0xFFFF0000u);
  }
  static Floats round(Floats values) {
    return __builtin_bit_cast(Floats, rounded_bits(values) & 0xFFFF0000u);
  }

 private:
  /// The result is in the upper halves. In integers, because the processors' own instruction flushes
  /// denormals to zero. Nothing carries out of a plain NaN.
  static Words rounded_bits(Floats values) {
    const Words bits = __builtin_bit_cast(Words, values);
    return bits + 0x7FFFu + ((bits >> 16) & 1u);
  }
};

#if defined(__x86_64__) && !defined(__F16C__)

/// In integers: without F16C each element would be a call.
struct F16 : Element<F16, unsigned short, Halfwords> {
  using Storage = unsigned short;
  using Element::round;
  static constexpr bool kEvensThenOdds = false;
  static Floats widen(Halfwords raw) {
    const Words half = __builtin_convertvector(raw, Words);
    const Words shifted = (half & 0x7FFFu) << 13;
    // The exponent's bias is put right by a multiplication, which normalises denormals too.
    const Words finite = __builtin_bit_cast(Words, __builtin_bit_cast(Floats, shifted) * 0x1p112f);
    const Words magnitude = shifted >= (0x7C00u << 13) ? shifted | 0x7F800000u : finite;
    return __builtin_bit_cast(Floats, magnitude | (half & 0x8000u) << 16);
  }
  static Halfwords narrow(Floats values) {
    const Words bits = __builtin_bit_cast(Words, values);
    const Words magnitude = bits & 0x7FFFFFFFu;
    const Words normal = (magnitude - (112u << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
    // Next to 0.5 floats are as far apart as f16's denormals.
    const Words denormal =
        __builtin_bit_cast(Words, __builtin_bit_cast(Floats, magnitude) + 0.5f) - 0x3F000000u;
    Words result = magnitude < (113u << 23) ? denormal : normal;
    result = magnitude >= 0x477FF000u ? Words(0x7C00u) : result;  // halfway between 65504 and 65536
    result = magnitude > 0x7F800000u ? (magnitude >> 13 & 0x3FFu) | 0x7E00u : result;
    return __builtin_convertvector(result | (bits & 0x80000000u) >> 16, Halfwords);
  }
  static Floats round(Floats values) { return widen(narrow(values)); }
};

#else

using Halves = _Float16 __attribute__((ext_vector_type(kLanes)));

struct F16 : Element<F16, _Float16, Halves> {
  using Storage = _Float16;
  using Element::round;
  static constexpr bool kEvensThenOdds = false;
  static Floats widen(Halves raw) { return __builtin_convertvector(raw, Floats); }
  static Halves narrow(Floats values) { return __builtin_convertvector(values, Halves); }
  static Floats round(Floats values) { return widen(narrow(values)); }
};

#endif

/// Saturates to the largest finite value; NaN stays NaN. In integers: no processor at hand has instructions.
template <class Self, class Format>
struct Fp8 : Element<Self, unsigned char, Bytes> {
  using Storage = unsigned char;
  static constexpr float kLargest = Format::kLargestValue;  ///< what narrowing saturates to
  using Element<Self, unsigned char, Bytes>::round;
  static constexpr bool kEvensThenOdds = false;
  static Floats widen(Bytes raw) {
    const Words bits = __builtin_convertvector(raw, Words);
    const Words shifted = (bits & 0x7Fu) << Format::kShift;
    const Words finite = __builtin_bit_cast(Words, __builtin_bit_cast(Floats, shifted) * Format::kRebias);
    const Words magnitude = (bits & 0x7Fu) > Format::kLargest ? shifted | 0x7F800000u : finite;
    return __builtin_bit_cast(Floats, magnitude | (bits & 0x80u) << 24);
  }
  static Bytes narrow(Floats values) {
    const Words bits = __builtin_bit_cast(Words, values);
    const Words magnitude = bits & 0x7FFFFFFFu;
    const Words denormal =
        __builtin_bit_cast(Words, __builtin_bit_cast(Floats, magnitude) + Format::kSpacedAsDenormals) -
        __builtin_bit_cast(unsigned, Format::kSpacedAsDenormals);
    Words result = magnitude < Format::kSmallestNormalFloat ? denormal : Format::rounded_normal(magnitude);
    result = result > Format::kLargest ? Words(Format::kLargest) : result;
    result |= bits >> 24 & 0x80u;
    return __builtin_convertvector(magnitude > 0x7F800000u ? Words(Format::kNan) : result, Bytes);
  }
  static Floats round(Floats values) { return widen(narrow(values)); }
};

struct E4m3 : Fp8<E4m3, E4m3Format> {};
struct E5m2 : Fp8<E5m2, E5m2Format> {};

/// Every NaN as arithmetic makes it: what somebody's tensor holds may have any bits.
inline Floats with_plain_nans(Floats values) {
  return values == values ? values : Floats(__builtin_nanf(""));
}

/// What came from elements of type From, with NaNs that To can round.
template <class To, class From>
inline Floats plain_for(Floats values) {
  if constexpr (__is_same(To, Bf16) && !__is_same(From, Bf16)) return with_plain_nans(values);
  return values;
}

/// Values of element type From in the lane order of To.
template <class To, class From>
inline Floats in_order_of(Floats values) {
  if constexpr (To::kEvensThenOdds == From::kEvensThenOdds) {
    return values;
  } else if constexpr (To::kEvensThenOdds) {
    return evens_then_odds(values);
  } else {
    return interleaved(values);
  }
}
