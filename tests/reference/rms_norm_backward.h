// The gradients of rms_norm in double precision, with the roundings of its forward that they see.
#pragma once

#include <vector>

#include <lathe/rms_norm_backward.h>

#include "tests/reference/bounds.h"

namespace lathe::reference {

/// One row: values that the kernel sees, already of their dtypes.
struct GradientRow {
  std::vector<double> dy;
  std::vector<double> x;
  std::vector<double> dresidual;  ///< empty without
  double rstd = 0;                ///< as loaded; unused where the spec makes it again
};

struct RmsNormGradient {
  std::vector<std::vector<Bounds>> dx;  ///< of the dtype, row by row
  std::vector<Bounds> dw;               ///< of dw's dtype
};

/// All rows that share a weight. `weight` is empty without; `dw_before` is what dw holds, empty unless the
/// spec accumulates.
RmsNormGradient rms_norm_backward(const RmsNormBackwardSpec& spec, const std::vector<GradientRow>& rows,
                                  const std::vector<double>& weight, const std::vector<double>& dw_before,
                                  double epsilon);

}  // namespace lathe::reference
