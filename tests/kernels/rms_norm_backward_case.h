// One launch of rms_norm_backward, compared with the reference.
#pragma once

#include <cstdint>
#include <string>

#include <lathe/runtime.h>

#include "tests/kernels/row_tensors.h"

namespace lathe::tests {

enum class DxPlace : std::uint8_t { own, dy, x, dresidual };

struct RmsNormBackwardCase {
  RmsNormBackwardSpec spec;
  Index rows = 3;
  Index row_padding = 0;       ///< as in Placement
  Index head_padding = 0;      ///< likewise
  bool heads_outside = false;  ///< likewise
  int offset_elements = 0;     ///< likewise
  DxPlace dx = DxPlace::own;
  Values values = Values::ordinary;  ///< of x
  float epsilon = 1e-5f;
  std::uint32_t seed = 1;
};

/// Launches twice, and compares all of dx and dw with the reference, the second launch's bits with the
/// first's, and what lies around the tensors with what was there before. The rstd that is loaded is that of
/// x. Empty: all as it should be; else the first difference. Reports the kernel (see kernel_report.h).
std::string run_rms_norm_backward(Runtime& runtime, const RmsNormBackwardCase& test);

}  // namespace lathe::tests
