// Operands of wgmma in shared memory: which bytes they are, and their elements in the order of K.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/ptx/warp.h"
#include "runtime/ptx/wgmma_descriptor.h"

namespace lathe::runtime::ptx {

/// What one wgmma takes of a row of A or a column of B, whatever the type.
constexpr unsigned kSliceBytes = 32;
using DepthSlice = std::array<std::byte, kSliceBytes>;

/// Rows of A or columns of B. `first` and `count` are multiples of 8.
struct MatrixPart {
  MatrixLayout layout;
  bool is_transposed = false;
  unsigned first = 0;
  unsigned count = 0;
};

/// What reading the part now must obey: bounds, that somebody wrote it, that nothing races. After a fault
/// false.
bool check_read(Warp& warp, const MatrixPart& part);

/// Whether what was written to the part is visible to the asynchronous proxy; if not, a fault.
bool check_proxy(Warp& warp, const MatrixPart& part);

/// One slice for each row or column. REQUIRES: check_read()
void read(Warp& warp, const MatrixPart& part, std::span<DepthSlice> slices);

}  // namespace lathe::runtime::ptx
