// Element types: how vectors of them are read, written and rounded to. Arithmetic is always in float.
#pragma once

#include "cpu/vector.h"

/// Copies `count` elements, fewer than a vector, one by one: nothing beyond them may be touched.
template <class T>
inline void copy_elements(T* to, const T* from, int count) {
#pragma clang loop vectorize(disable) unroll(disable)
  for (int i = 0; i < count; ++i) to[i] = from[i];
}

/// What the element types share. `Self` gives Storage, Lanes, widen and narrow.
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
  /// The first `count` lanes; the others are 0.
  static Floats load_tail(const Storage* from, int count) {
    Lanes raw = {};
    copy_elements(reinterpret_cast<Storage*>(&raw), from, count);
    return Self::widen(raw);
  }
  static void store_tail(Storage* to, Floats values, int count) {
    const Lanes raw = Self::narrow(values);
    copy_elements(to, reinterpret_cast<const Storage*>(&raw), count);
  }
  /// Rounded to the element type and back: to nearest, ties to even.
  static Floats round(Floats values) { return Self::widen(Self::narrow(values)); }
  static float round(float value) { return round(Floats(value))[0]; }

  static constexpr int kVectorBytes = sizeof(Lanes);
};

struct F32 : Element<F32, float, Floats> {
  using Storage = float;
  static Floats widen(Floats raw) { return raw; }
  static Floats narrow(Floats values) { return values; }
};

struct Bf16 : Element<Bf16, unsigned short, Halfwords> {
  using Storage = unsigned short;
  static Floats widen(Halfwords raw) {
    const Words bits = __builtin_convertvector(raw, Words) << 16;
    return __builtin_bit_cast(Floats, bits);
  }
  /// In integers, because the processors' own instruction flushes denormals to zero.
  static Halfwords narrow(Floats values) {
    const Words bits = __builtin_bit_cast(Words, values);
    const Words rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    const Words quiet_nan = (bits >> 16) | 0x40u;
    const Words result = (bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet_nan : rounded;
    return __builtin_convertvector(result, Halfwords);
  }
};

using Halves = _Float16 __attribute__((ext_vector_type(kLanes)));

/// One instruction with F16C, a call of the compiler's runtime without.
struct F16 : Element<F16, _Float16, Halves> {
  using Storage = _Float16;
  static Floats widen(Halves raw) { return __builtin_convertvector(raw, Floats); }
  static Halves narrow(Floats values) { return __builtin_convertvector(values, Halves); }
};
