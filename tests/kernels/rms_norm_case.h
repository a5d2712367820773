// One launch of rms_norm, compared with the reference.
#pragma once

#include <cstdint>
#include <string>

#include <lathe/runtime.h>

namespace lathe::tests {

enum class Values {
  ordinary,  ///< normally distributed
  large,     ///< near the dtype's largest square root
  tiny,      ///< denormal, where the dtype has them
  zero,
};

struct RmsNormCase {
  RmsNormSpec spec;
  Index rows = 3;
  Index row_padding = 0;       ///< elements between rows, in all tensors
  Index head_padding = 0;      ///< elements between heads
  bool heads_outside = false;  ///< [heads, rows, hidden] in memory
  int offset_elements = 0;  ///< of every tensor's beginning from an address that is a multiple of 256 bytes
  bool in_place = false;    ///< y is x, residual_out is residual_in
  Values values = Values::ordinary;
  float epsilon = 1e-5f;
  std::uint32_t seed = 1;
};

/// Compiles, launches and compares every element of every output, the padding between rows and the bands
/// around the buffers. Empty: all as it should be; else the first difference. Reports the kernel (see
/// kernel_report.h).
std::string run_rms_norm(Runtime& runtime, const RmsNormCase& test);

}  // namespace lathe::tests
