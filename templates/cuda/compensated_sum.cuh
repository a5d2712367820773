// Sums of many floats that lose no digits.
#pragma once

/// Adds up what rounding took away, too (Neumaier's variant of Kahan's sum).
struct CompensatedSum {
  float sum = 0.0f;
  float lost = 0.0f;

  __device__ void add(float value) {
    const float next = sum + value;
    lost += fabsf(sum) >= fabsf(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  __device__ float total() const {
    // Of an infinity, what was lost is no number.
    return fabsf(sum) < __builtin_bit_cast(float, 0x7F800000) ? sum + lost : sum;
  }
};
