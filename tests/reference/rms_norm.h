// rms_norm in double precision, with the roundings that its casting modes put between the steps.
#pragma once

#include <vector>

#include <lathe/rms_norm.h>

namespace lathe::reference {

/// The values that a careful float evaluation may give. Where no intermediate value lies at a rounding
/// boundary, `low` and `high` are one number or neighbours.
struct Bounds {
  double low = 0;
  double high = 0;
};

struct RmsNormRow {
  std::vector<Bounds> y;             ///< of the dtype
  std::vector<double> residual_out;  ///< exact; empty without residual
  Bounds rstd;                       ///< of f32
};

/// One row. `x`, `residual` (empty without) and `weight` (empty without) are the values the kernel sees,
/// already of their dtypes.
RmsNormRow rms_norm(const RmsNormSpec& spec, const std::vector<double>& x,
                    const std::vector<double>& residual, const std::vector<double>& weight, double epsilon);

}  // namespace lathe::reference
