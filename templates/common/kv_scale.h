// Scales between stored and true values.
#pragma once

#include "common/kv_facts.h"

inline float float_of_bits(unsigned bits) {
  return __builtin_bit_cast(float, bits);
}

/// 2^(exponent - 127); 255 is no number.
inline float ue8m0_value(unsigned exponent) {
  if (exponent == 255) return float_of_bits(0x7FC00000u);
  return float_of_bits(exponent == 0 ? 0x00400000u : exponent << 23);
}

/// The exponent of the smallest power of two that is not below a scale, which is not negative.
inline unsigned ue8m0_above(float scale) {
  const unsigned bits = __builtin_bit_cast(unsigned, scale);
  if (bits > 0x7F800000u) return 255;
  if (bits <= 0x00400000u) return 0;
  const unsigned exponent = (bits >> 23) + ((bits & 0x7FFFFFu) != 0 ? 1 : 0);
  return exponent < 254 ? exponent : 254;
}

inline float table_scale(const ScaleFacts& facts, const lathe::KvMoveArgs& args, lathe::Index layer,
                         lathe::Index plane, lathe::Index head) {
  const lathe::Index at =
      facts.first + layer * facts.layer_step + plane * facts.plane_step + head * facts.head_step;
  return args.scales[facts.table][at];
}

/// A stored scale: the one of a row's group.
inline float stored_scale(const ScaleFacts& facts, const char* row, lathe::Index group) {
  if (facts.type == KvScaleType::ue8m0) {
    return ue8m0_value(*reinterpret_cast<const unsigned char*>(row + facts.offset + group));
  }
  return *reinterpret_cast<const float*>(row + facts.offset + group * 4);
}

/// Writes the scale of a group and returns what it counts for. `amax` is the group's largest magnitude.
inline float store_scale(const ScaleFacts& facts, char* row, lathe::Index group, float amax, float largest,
                         bool writes) {
  const float floored = amax < facts.amax_floor ? facts.amax_floor : amax;
  float scale = floored / largest;
  if (facts.type == KvScaleType::ue8m0) {
    const unsigned exponent = ue8m0_above(scale);
    if (writes) {
      *reinterpret_cast<unsigned char*>(row + facts.offset + group) = static_cast<unsigned char>(exponent);
    }
    return ue8m0_value(exponent);
  }
  if (facts.type == KvScaleType::f32_power_of_two) scale = ue8m0_value(ue8m0_above(scale));
  if (writes) *reinterpret_cast<float*>(row + facts.offset + group * 4) = scale;
  return scale;
}

/// A group of zeros has a scale of 0 and stays zeros.
inline float divided_by_scale(float value, float scale) {
  return value / (scale == 0.0f ? 1.0f : scale);
}
