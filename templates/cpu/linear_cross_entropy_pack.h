// hidden of a chunk's rows as the products of logits take it: turned over, so that rows are lanes.
#pragma once

#include "cpu/linear_cross_entropy_chunk.h"
#include "cpu/transpose.h"

/// One vector of each of a register's number of rows, null where there is none, becomes kLanes rows of the
/// panel.
inline void pack_block(const X::Storage* const* rows, int at, float* to) {
  WordMatrix halves[2];
  for (int i = 0; i < kRegisterLanes; ++i) {
    const Floats values = rows[i] == nullptr ? Floats(0.0f) : load_up_to<X>(kHiddenSize - at, rows[i] + at);
    const auto bits = __builtin_bit_cast(Words, values);
    halves[0].rows[i] = first_register(bits);
    halves[1].rows[i] = second_register(bits);
  }
  for (int half = 0; half < 2; ++half) {
    transpose(halves[half]);
    for (int i = 0; i < kRegisterLanes; ++i) {
      store_register(to + (half * kRegisterLanes + i) * kPanelRows,
                     __builtin_bit_cast(RegisterFloats, halves[half].rows[i]));
    }
  }
}

/// The panel whose first row is `row` of the chunk.
__attribute__((noinline)) void pack_panel(const Args& args, Index row) {
  const Index count = rows_of_chunk(args);
  float* const to = packed_panel(args, row);
  for (int half = 0; half < kPanelRows; half += kRegisterLanes) {
    const X::Storage* rows[kRegisterLanes];
    for (int i = 0; i < kRegisterLanes; ++i) {
      const Index at = row + half + i;
      rows[i] = at < count ? hidden_row(args, at) : nullptr;
    }
#pragma clang loop unroll(disable)
    for (int at = 0; at < kHiddenSize; at += kLanes) pack_block(rows, at, to + at * kPanelRows + half);
  }
}
