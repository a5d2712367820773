// fp8 elements: conversions to nearest even that saturate to the largest finite value and keep NaN. By
// instruction where there is one (sm_89 and up), elsewhere in integers, with the same results bit by bit.
#pragma once

#include "common/fp8.h"
#include "cuda/ptx/convert.cuh"

/// What e4m3 and e5m2 share. `Self` gives narrow_pair and widen_pair.
template <class Self, class Format>
struct Fp8Element {
  using Storage = unsigned char;
  static constexpr float kLargest = Format::kLargestValue;  ///< what narrowing saturates to
  static constexpr int kPerWord = 4;

  __device__ static float widen(Storage bits) {
    float values[2];
    Self::widen_pair(bits, values);
    return values[0];
  }
  __device__ static Storage narrow(float value) {
    return static_cast<Storage>(Self::narrow_pair(value, 0.0f));
  }
  __device__ static void unpack(unsigned word, float* values) {
    Self::widen_pair(static_cast<unsigned short>(word), values);
    Self::widen_pair(static_cast<unsigned short>(word >> 16), values + 2);
  }
  __device__ static unsigned pack(const float* values) {
    const unsigned low = Self::narrow_pair(values[0], values[1]);
    const unsigned high = Self::narrow_pair(values[2], values[3]);
    return low | high << 16;
  }
};

#if __CUDA_ARCH__ >= 890

__device__ inline void widen_halves(unsigned halves, float* values) {
  values[0] = half_bits_to_float(static_cast<unsigned short>(halves));
  values[1] = half_bits_to_float(static_cast<unsigned short>(halves >> 16));
}

struct E4m3 : Fp8Element<E4m3, E4m3Format> {
  __device__ static unsigned short narrow_pair(float low, float high) {
    return floats_to_e4m3x2_bits(low, high);
  }
  __device__ static void widen_pair(unsigned short bits, float* values) {
    widen_halves(e4m3x2_bits_to_half2_bits(bits), values);
  }
};

struct E5m2 : Fp8Element<E5m2, E5m2Format> {
  __device__ static unsigned short narrow_pair(float low, float high) {
    return floats_to_e5m2x2_bits(low, high);
  }
  __device__ static void widen_pair(unsigned short bits, float* values) {
    widen_halves(e5m2x2_bits_to_half2_bits(bits), values);
  }
};

#else

template <class Format>
__device__ inline unsigned fp8_bits(float value) {
  const unsigned bits = __float_as_uint(value);
  const unsigned magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return Format::kNan;
  const unsigned denormal = __float_as_uint(__uint_as_float(magnitude) + Format::kSpacedAsDenormals) -
                            __float_as_uint(Format::kSpacedAsDenormals);
  unsigned result = magnitude < Format::kSmallestNormalFloat ? denormal : Format::rounded_normal(magnitude);
  if (result > Format::kLargest) result = Format::kLargest;
  return result | (bits >> 24 & 0x80u);
}

template <class Format>
__device__ inline float fp8_value(unsigned bits) {
  const unsigned shifted = (bits & 0x7Fu) << Format::kShift;
  unsigned magnitude = __float_as_uint(__uint_as_float(shifted) * Format::kRebias);
  if ((bits & 0x7Fu) > Format::kLargest) magnitude = shifted | 0x7F800000u;
  return __uint_as_float(magnitude | (bits & 0x80u) << 24);
}

template <class Format>
struct IntegerFp8Element : Fp8Element<IntegerFp8Element<Format>, Format> {
  __device__ static unsigned short narrow_pair(float low, float high) {
    return static_cast<unsigned short>(fp8_bits<Format>(low) | fp8_bits<Format>(high) << 8);
  }
  __device__ static void widen_pair(unsigned short bits, float* values) {
    values[0] = fp8_value<Format>(bits & 0xFFu);
    values[1] = fp8_value<Format>(bits >> 8);
  }
};

using E4m3 = IntegerFp8Element<E4m3Format>;
using E5m2 = IntegerFp8Element<E5m2Format>;

#endif
