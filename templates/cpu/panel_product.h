// Products of panels of floats that lie in the caches: blocks of a few rows and one vector of columns, whose
// sums stay in registers.
#pragma once

#include "cpu/register.h"

/// Rows of a block. With a vector of columns, one element of the left factor and a vector of the right one
/// they fill the registers.
#if defined(__AVX512F__)
constexpr int kBlockRows = 12;
#else
constexpr int kBlockRows = 6;
#endif

/// result[row] = left[row] * right, or += where it adds. The right factor's rows are vectors, one after the
/// other; how far elements of the left one are apart the compiler is told.
struct PanelProduct {
  const float* left;
  const float* right;
  int depth;
  float* result;
  lathe::Index result_stride;
  bool adds;
  /// Bytes that are needed soon, `ahead_lines` cache lines per row; null: none. They are on their way while
  /// this product is worked on.
  const char* ahead = nullptr;
  lathe::Index ahead_stride = 0;
  int ahead_lines = 1;
};

/// The first kRows rows.
template <int kRows, int kLeftRow, int kLeftDepth>
__attribute__((noinline)) void multiply_panel_block(const PanelProduct& product) {
  constexpr int kLineBytes = 64;
  if (product.ahead != nullptr) {
#pragma clang loop unroll(disable)
    for (int row = 0; row < kRows; ++row) {
#pragma clang loop unroll(disable)
      for (int line = 0; line < product.ahead_lines; ++line)
        __builtin_prefetch(product.ahead + row * product.ahead_stride + line * kLineBytes);
    }
  }
  RegisterFloats sums[kRows][2];
#pragma clang loop unroll(full)
  for (int row = 0; row < kRows; ++row) sums[row][0] = sums[row][1] = 0.0f;
  const float* left = product.left;
  const float* right = product.right;
#pragma clang loop unroll(disable)
  for (int k = 0; k < product.depth; ++k) {
    const RegisterFloats first = load_register(right);
    const RegisterFloats second = load_register(right + kRegisterLanes);
#pragma clang loop unroll(full)
    for (int row = 0; row < kRows; ++row) {
      const RegisterFloats of_left = left[row * kLeftRow];
      sums[row][0] += of_left * first;
      sums[row][1] += of_left * second;
    }
    left += kLeftDepth;
    right += kLanes;
  }
#pragma clang loop unroll(full)
  for (int row = 0; row < kRows; ++row) {
    float* const to = product.result + row * product.result_stride;
    if (product.adds) {
      sums[row][0] += load_register(to);
      sums[row][1] += load_register(to + kRegisterLanes);
    }
    store_register(to, sums[row][0]);
    store_register(to + kRegisterLanes, sums[row][1]);
  }
}

/// As many blocks of kRows rows as there are, then smaller ones for what is left.
template <int kLeftRow, int kLeftDepth, int kRows = kBlockRows>
inline void multiply_panel(int rows, PanelProduct product) {
  for (; rows >= kRows; rows -= kRows) {
    multiply_panel_block<kRows, kLeftRow, kLeftDepth>(product);
    product.left += kRows * kLeftRow;
    product.result += kRows * product.result_stride;
    if (product.ahead != nullptr) product.ahead += kRows * product.ahead_stride;
  }
  constexpr int kNext = kRows > 8 ? 8 : kRows > 4 ? 4 : kRows / 2;
  if constexpr (kNext > 0) multiply_panel<kLeftRow, kLeftDepth, kNext>(rows, product);
}
