// A kernel beside a copy of as many bytes, alternating, so that both see the same machine.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <lathe/error.h>
#include <lathe/runtime.h>

#include "tools/lathe/invocation.h"

namespace lathe::tools {

struct CopyTimes {
  std::vector<double> kernel_ms;
  std::vector<double> copy_ms;
  std::size_t copy_bytes = 0;  ///< read and written by one copy
};

/// Times launches and copies in turns. `traffic_bytes`: what a launch reads and writes at least. On the CPU
/// the copy touches as many bytes. On a GPU it is large, since it is timed with the call around it, and
/// flushes the L2 cache between two launches besides. Empty times: stopped.
Result<CopyTimes> time_beside_copy(Runtime& runtime, const std::function<Result<void>()>& launch,
                                   std::size_t traffic_bytes, const std::atomic<bool>& stop);

/// Reports median time, bandwidth and the share of the copy's bandwidth, which is to be at least `limit`.
void report_share(const Invocation& invocation, const Runtime& runtime, const std::string& name,
                  std::size_t traffic_bytes, const CopyTimes& times, double limit);

}  // namespace lathe::tools
