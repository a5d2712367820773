// rms_norm in double precision, with the roundings that its casting modes put between the steps.
#pragma once

#include <vector>

#include <lathe/rms_norm.h>

#include "tests/reference/bounds.h"

namespace lathe::reference {

struct RmsNormRow {
  std::vector<Bounds> y;             ///< before it is scaled and rounded to y_dtype
  std::vector<double> residual_out;  ///< exact; empty without residual
  Bounds rstd;                       ///< of f32
};

/// One row. `x`, `residual` (empty without) and `weight` (empty without) are the values the kernel sees,
/// already of their dtypes. Of a head with a weight of its own, `weight` is that head's.
RmsNormRow rms_norm(const RmsNormSpec& spec, const std::vector<double>& x,
                    const std::vector<double>& residual, const std::vector<double>& weight, double epsilon);

/// y as it is stored, given the scale that the kernel used (1 without): rounded to y_dtype.
Bounds stored(const RmsNormSpec& spec, Bounds y, double scale);

/// The scale that elements [begin, end) of all `rows` share.
Bounds scale_of(const RmsNormSpec& spec, const std::vector<RmsNormRow>& rows, std::size_t begin,
                std::size_t end, double amax_floor);

}  // namespace lathe::reference
