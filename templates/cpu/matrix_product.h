// Products of small matrices that lie in the caches.
#pragma once

#include "cpu/register.h"

/// Rows of floats, `stride` apart.
struct Panel {
  float* at;
  int stride;
};

/// How the product is cut into blocks that stay in registers: their sums, one register of the right factor's
/// row and one element of the left factor's.
#if defined(__AVX512F__)
constexpr int kProductRows = 12;
constexpr int kProductRegisters = 2;
#else
constexpr int kProductRows = 6;
constexpr int kProductRegisters = 2;
#endif
constexpr int kProductColumns = kProductRegisters * kRegisterLanes;

/// result = result * factors + left * right. factors has one per row; without any, what the result held is
/// forgotten.
struct Product {
  Panel result;
  Panel left;
  Panel right;
  int depth;  ///< columns of left, rows of right
  const float* factors = nullptr;
};

/// The first kRows rows and kProductColumns columns.
template <int kRows>
__attribute__((noinline)) void multiply_block(const Product& product) {
  const Panel& result = product.result;
  const Panel& left = product.left;
  const Panel& right = product.right;
  RegisterFloats sums[kRows][kProductRegisters];
#pragma clang loop unroll(full)
  for (int row = 0; row < kRows; ++row) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kProductRegisters; ++i) {
      sums[row][i] = 0.0f;
      if (product.factors != nullptr) {
        sums[row][i] =
            load_register(result.at + row * result.stride + i * kRegisterLanes) * product.factors[row];
      }
    }
  }
#pragma clang loop unroll(disable)
  for (int k = 0; k < product.depth; ++k) {
    RegisterFloats of_right[kProductRegisters];
#pragma clang loop unroll(full)
    for (int i = 0; i < kProductRegisters; ++i)
      of_right[i] = load_register(right.at + k * right.stride + i * kRegisterLanes);
#pragma clang loop unroll(full)
    for (int row = 0; row < kRows; ++row) {
      const RegisterFloats of_left = left.at[row * left.stride + k];
#pragma clang loop unroll(full)
      for (int i = 0; i < kProductRegisters; ++i) sums[row][i] += of_left * of_right[i];
    }
  }
#pragma clang loop unroll(full)
  for (int row = 0; row < kRows; ++row) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kProductRegisters; ++i)
      store_register(result.at + row * result.stride + i * kRegisterLanes, sums[row][i]);
  }
}

/// As many blocks of kRows rows as there are, then smaller ones for what is left.
template <int kRows>
inline void multiply_rows(int rows, Product product) {
  for (; rows >= kRows; rows -= kRows) {
    multiply_block<kRows>(product);
    product.result.at += kRows * product.result.stride;
    product.left.at += kRows * product.left.stride;
    if (product.factors != nullptr) product.factors += kRows;
  }
  constexpr int kNext = kRows > 8 ? 8 : kRows > 4 ? 4 : kRows / 2;
  if constexpr (kNext > 0) multiply_rows<kNext>(rows, product);
}

/// REQUIRES: columns, those of the result, is a multiple of kProductColumns.
inline void multiply(int rows, int columns, Product product) {
  // Columns outside: that slice of the right factor stays in the first-level cache for all rows.
  for (int column = 0; column < columns; column += kProductColumns) {
    multiply_rows<kProductRows>(rows, product);
    product.result.at += kProductColumns;
    product.right.at += kProductColumns;
  }
}
