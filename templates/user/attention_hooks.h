// Functions of users in attention kernels. These do nothing; where a spec has some, rendering writes them
// here.
#pragma once

#include "common/attention_place.h"
#include "common/hook_math.h"

inline float logits_hook(float logit, const AttentionPlace& at, const void* data) {
  return logit;
}
inline bool mask_hook(const AttentionPlace& at, const void* data) {
  return true;
}
inline float query_hook(float value, int dim, const AttentionPlace& at, const void* data) {
  return value;
}
inline float key_hook(float value, int dim, const AttentionPlace& at, const void* data) {
  return value;
}
inline float output_hook(float value, int dim, const AttentionPlace& at, const void* data) {
  return value;
}
