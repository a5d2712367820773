// NormWorkload: one rms_norm on a device, with data, for commands that run and time it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <lathe/buffer.h>
#include <lathe/error.h>
#include <lathe/kernel.h>
#include <lathe/rms_norm.h>
#include <lathe/runtime.h>

#include "tools/lathe/check_rms_norm.h"

namespace lathe::tools {

/// Tightly packed tensors of pseudo-random numbers, the same in each run. Not thread-safe.
class NormWorkload {
 public:
  /// Errors: out_of_memory. REQUIRES: a normalized spec without rstd.
  static Result<NormWorkload> make(Runtime& runtime, const RmsNormSpec& spec, std::int64_t rows,
                                   double epsilon);

  /// Queues one launch on the default stream.
  Result<void> launch(const Kernel& kernel) const;

  /// Reads y back and compares it with double precision. REQUIRES: a launch since make().
  Result<RmsNormCheck> check(Runtime& runtime) const;

  /// Bytes that one launch has to read and write at least.
  std::size_t traffic_bytes() const;

 private:
  NormWorkload() = default;

  RmsNormSpec spec_;
  std::int64_t rows_ = 0;
  RmsNormArgs args_{};
  std::vector<std::byte> x_, weight_, residual_;
  Buffer device_x_, device_weight_, device_residual_, device_sum_, device_y_;
};

/// The middle of the values; of an even number, the upper of the two. REQUIRES: not empty.
double median_of(std::vector<double> values);

}  // namespace lathe::tools
