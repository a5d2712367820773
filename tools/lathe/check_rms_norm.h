// RMSNorm in double precision, for commands that check their own results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <lathe/rms_norm.h>

namespace lathe::tools {

/// One launch's data on the host, tightly packed: elements of spec.dtype, the weight's of its own dtype.
struct RmsNormData {
  std::span<const std::byte> x;
  std::span<const std::byte> weight;       ///< empty when the spec has none
  std::span<const std::byte> residual_in;  ///< empty when the spec has none
  std::span<const std::byte> y;            ///< what the kernel gave
  double epsilon = 0;
};

struct RmsNormCheck {
  double max_error = 0;                                ///< largest |y - exact| / |exact| over all elements
  double limit = 0;                                    ///< what the roundings that the spec asks for allow
  bool is_good() const { return max_error <= limit; }  // false for NaN
};

/// Compares every element. The residual's sum is rounded where the spec says so; everything else is exact.
/// REQUIRES: a normalized spec with casting llama or gemma.
RmsNormCheck check_rms_norm(const RmsNormSpec& spec, std::int64_t rows, const RmsNormData& data);

}  // namespace lathe::tools
