// What a wgmma computes. Each warp does its own 16 of the 64 rows.
#pragma once

#include "runtime/ptx/warp.h"
#include "runtime/ptx/wgmma_operand.h"
#include "runtime/ptx/wgmma_state.h"

namespace lathe::runtime::ptx {

/// The rows of A that the warp needs of a product. REQUIRES: A is in shared memory.
MatrixPart part_of_a(const Warp& warp, const WgmmaProduct& product);
MatrixPart part_of_b(const WgmmaProduct& product);

/// Reads A and B and writes the accumulators, now; after a fault false.
bool compute(Warp& warp, const WgmmaProduct& product);

}  // namespace lathe::runtime::ptx
