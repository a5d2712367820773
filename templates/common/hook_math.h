// Functions of numbers that hooks may call, by the names that CUDA has for them.
#pragma once

#ifndef __CUDACC__
inline float expf(float x) {
  return __builtin_expf(x);
}
inline float exp2f(float x) {
  return __builtin_exp2f(x);
}
inline float logf(float x) {
  return __builtin_logf(x);
}
inline float log2f(float x) {
  return __builtin_log2f(x);
}
inline float powf(float x, float y) {
  return __builtin_powf(x, y);
}
inline float sqrtf(float x) {
  return __builtin_sqrtf(x);
}
inline float tanhf(float x) {
  return __builtin_tanhf(x);
}
inline float sinf(float x) {
  return __builtin_sinf(x);
}
inline float cosf(float x) {
  return __builtin_cosf(x);
}
inline float fabsf(float x) {
  return __builtin_fabsf(x);
}
inline float fminf(float x, float y) {
  return __builtin_fminf(x, y);
}
inline float fmaxf(float x, float y) {
  return __builtin_fmaxf(x, y);
}
inline float floorf(float x) {
  return __builtin_floorf(x);
}
#endif
