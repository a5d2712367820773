// Conversions between float and the smaller types, by PTX: to nearest even, no flushing of denormals. The
// 16-bit types on sm_80 and up, fp8 on sm_89 and up.
#pragma once

__device__ inline unsigned short float_to_half_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

__device__ inline float half_bits_to_float(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

__device__ inline unsigned short float_to_bfloat_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

/// Two at once; `low` lands in the lower half.
__device__ inline unsigned floats_to_half2_bits(float low, float high) {
  unsigned bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

__device__ inline unsigned floats_to_bfloat2_bits(float low, float high) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

#if __CUDA_ARCH__ >= 890

/// Two at once; `low` lands in the lower byte. What is larger than the largest finite value becomes that, a
/// NaN 0x7F.
__device__ inline unsigned short floats_to_e4m3x2_bits(float low, float high) {
  unsigned short bits;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(bits) : "f"(high), "f"(low));
  return bits;
}

__device__ inline unsigned short floats_to_e5m2x2_bits(float low, float high) {
  unsigned short bits;
  asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(bits) : "f"(high), "f"(low));
  return bits;
}

/// Exact: an f16 holds every e4m3 and e5m2.
__device__ inline unsigned e4m3x2_bits_to_half2_bits(unsigned short bits) {
  unsigned halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(bits));
  return halves;
}

__device__ inline unsigned e5m2x2_bits_to_half2_bits(unsigned short bits) {
  unsigned halves;
  asm("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(halves) : "h"(bits));
  return halves;
}

#endif
