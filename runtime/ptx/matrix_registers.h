// Between the registers of a warp and MatrixProduct, for each element type.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "runtime/ptx/matrix_fragments.h"
#include "runtime/ptx/matrix_product.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

template <class Elements>
void load_a(Warp& warp, std::span<const Slot> registers, unsigned rows, MatrixProduct& product) {
  for (unsigned i = 0; i < registers.size(); ++i) {
    const auto* values = warp.lanes<typename Elements::Register>(registers[i]);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const ElementPlace at = place_in_a(rows, Elements::kCount, i, lane);
      for (unsigned e = 0; e < Elements::kCount; ++e)
        product.a[at.row][at.column + e] = Elements::value(values[lane], e);
    }
  }
}

template <class Elements>
void load_b(Warp& warp, std::span<const Slot> registers, MatrixProduct& product) {
  for (unsigned i = 0; i < registers.size(); ++i) {
    const auto* values = warp.lanes<typename Elements::Register>(registers[i]);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const ElementPlace at = place_in_b(Elements::kCount, i, lane);
      for (unsigned e = 0; e < Elements::kCount; ++e)
        product.b[at.row + e][at.column] = Elements::value(values[lane], e);
    }
  }
}

template <class Elements>
void load_c(Warp& warp, std::span<const Slot> registers, MatrixProduct& product) {
  for (unsigned i = 0; i < registers.size(); ++i) {
    const auto* values = warp.lanes<typename Elements::Register>(registers[i]);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      for (unsigned e = 0; e < Elements::kCount; ++e) {
        const ElementPlace at = place_in_accumulator(i * Elements::kCount + e, lane);
        product.c[at.row][at.column] = Elements::value(values[lane], e);
      }
    }
  }
}

template <class Elements>
void store_d(Warp& warp, std::span<const Slot> registers, MatrixProduct& product) {
  using Bits = typename Elements::Register;
  for (unsigned i = 0; i < registers.size(); ++i) {
    auto* values = warp.lanes<Bits>(registers[i]);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      Bits value = 0;
      for (unsigned e = 0; e < Elements::kCount; ++e) {
        const ElementPlace at = place_in_accumulator(i * Elements::kCount + e, lane);
        // What is first is in the low bits. No shift by the whole width: kCount is 1 then.
        value |= Elements::packed(product.c[at.row][at.column])
                 << (e * (8 * sizeof(Bits) / Elements::kCount));
      }
      values[lane] = value;
    }
  }
}

/// Bit i: row i of A is defined.
inline std::uint32_t defined_rows(Warp& warp, std::span<const Slot> registers_of_a, unsigned rows) {
  std::uint32_t defined = ~0U;
  for (unsigned i = 0; i < registers_of_a.size(); ++i) {
    for (LaneMask left = ~warp.defined(registers_of_a[i]); left != 0; left &= left - 1)
      defined &= ~(1U << place_in_a(rows, 1, i, static_cast<unsigned>(std::countr_zero(left))).row);
  }
  return defined;
}

/// Bit i: column i of B is defined.
inline std::uint32_t defined_columns(Warp& warp, std::span<const Slot> registers_of_b) {
  std::uint32_t defined = ~0U;
  for (unsigned i = 0; i < registers_of_b.size(); ++i) {
    for (LaneMask left = ~warp.defined(registers_of_b[i]); left != 0; left &= left - 1)
      defined &= ~(1U << place_in_b(1, i, static_cast<unsigned>(std::countr_zero(left))).column);
  }
  return defined;
}

}  // namespace lathe::runtime::ptx
