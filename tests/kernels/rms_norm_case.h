// One launch of rms_norm, compared with the reference.
#pragma once

#include <cstdint>
#include <string>

#include <lathe/runtime.h>

#include "tests/kernels/row_tensors.h"

namespace lathe::tests {

struct RmsNormCase {
  RmsNormSpec spec;
  Index rows = 3;
  Index row_padding = 0;       ///< elements between rows; each tensor has some more than the one before
  Index head_padding = 0;      ///< elements between heads, likewise
  bool heads_outside = false;  ///< [heads, rows, hidden] in memory
  int offset_elements = 0;  ///< of every tensor's beginning from an address that is a multiple of 256 bytes
  bool in_place = false;    ///< y is x, residual_out is residual_in
  Values values = Values::ordinary;
  float epsilon = 1e-5f;
  std::uint32_t seed = 1;
  double scale = 0.01;          ///< where the spec's is given
  bool blocks_outside = false;  ///< scales are [blocks, rows, heads] in memory
};

/// Compiles, launches and compares all outputs with the reference, and the padding between rows and the bands
/// around the buffers with what was there before. Of very many rows only some are compared: the reference is
/// slow. Empty: all as it should be; else the first difference. Reports the kernel (see kernel_report.h).
std::string run_rms_norm(Runtime& runtime, const RmsNormCase& test);

}  // namespace lathe::tests
