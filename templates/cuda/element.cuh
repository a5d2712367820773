// Element types: how packs of them are read, written and rounded to. Arithmetic is always in float.
#pragma once

#include "cuda/fp8.cuh"
#include "cuda/ptx/convert.cuh"

struct F32 {
  using Storage = float;
  static constexpr int kPerWord = 1;
  __device__ static float widen(float value) { return value; }
  __device__ static float narrow(float value) { return value; }
  __device__ static void unpack(unsigned word, float* values) { values[0] = __uint_as_float(word); }
  __device__ static unsigned pack(const float* values) { return __float_as_uint(values[0]); }
};

struct F16 {
  using Storage = unsigned short;
  static constexpr int kPerWord = 2;
  __device__ static float widen(Storage bits) { return half_bits_to_float(bits); }
  __device__ static Storage narrow(float value) { return float_to_half_bits(value); }
  __device__ static void unpack(unsigned word, float* values) {
    values[0] = half_bits_to_float(static_cast<Storage>(word));
    values[1] = half_bits_to_float(static_cast<Storage>(word >> 16));
  }
  __device__ static unsigned pack(const float* values) { return floats_to_half2_bits(values[0], values[1]); }
};

struct Bf16 {
  using Storage = unsigned short;
  static constexpr int kPerWord = 2;
  __device__ static float widen(Storage bits) { return __uint_as_float(static_cast<unsigned>(bits) << 16); }
  __device__ static Storage narrow(float value) { return float_to_bfloat_bits(value); }
  __device__ static void unpack(unsigned word, float* values) {
    values[0] = __uint_as_float(word << 16);
    values[1] = __uint_as_float(word & 0xFFFF0000u);
  }
  __device__ static unsigned pack(const float* values) {
    return floats_to_bfloat2_bits(values[0], values[1]);
  }
};

/// Rounded to the element type and back.
template <class T>
__device__ inline float rounded(float value) {
  return T::widen(T::narrow(value));
}
