// rope in double precision: one head of one token.
#pragma once

#include <cstdint>
#include <vector>

#include <lathe/rope.h>

#include "tests/reference/rms_norm.h"

namespace lathe::reference {

/// The sine and cosine of one pair.
struct RopeAngle {
  double sin = 0;
  double cos = 0;
};

/// Of all pairs, from their frequencies in radians per position, for a position per section. The angle is
/// reduced exactly: the position times the fraction of a turn in 128 bits. Multiplied by the attention
/// factor.
std::vector<RopeAngle> rope_angles(const RopeSpec& spec, const std::vector<std::int64_t>& positions);

/// Which of a token's positions a pair takes.
std::size_t rope_section(const RopeSpec& spec, std::int64_t pair);

/// The elements of a rotated row before they are rounded to the result's dtype: what a careful float
/// evaluation may give. `x`: the head, of the dtype; `weight`: the norm's, empty without.
std::vector<Bounds> rope_row(const RopeSpec& spec, const std::vector<double>& x,
                             const std::vector<double>& weight, double epsilon,
                             const std::vector<RopeAngle>& angles);

/// Rounded to a result's dtype; if that is fp8, after the multiplication.
Bounds rope_result(const RopeSpec& spec, DType result, double scale, Bounds value);

}  // namespace lathe::reference
