// What the benchmarks share: numbers beside their limits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lathe/runtime.h>

#include "tools/lathe/invocation.h"

namespace lathe::tools {

/// A number and what it should be.
struct Measurement {
  std::string name;
  std::string target;
  double value = 0;
  std::string unit;
  std::optional<double> limit{};
  bool higher_is_better = false;

  bool is_within() const { return !limit || (higher_is_better ? value >= *limit : value <= *limit); }
};

/// Prints it at once: benchmarks take long, and an interrupted one should leave what it measured.
void report(const Invocation& invocation, const Measurement& measurement);

/// The line for Measurement without --json: "name  12.3 us  limit 300  ok".
std::string line_of(const Measurement& measurement);

/// Each measures with a Runtime of its own and stops early, without an error, when `stop` is set. Without a
/// target: CUDA if there is such a device, else the CPU. What cannot be measured here is said on stderr.
Result<void> bench_rms_norm(const Invocation& invocation, const std::optional<Target>& target,
                            const std::atomic<bool>& stop);
/// The part of bench_rms_norm that measures rms_norm_backward.
Result<void> bench_rms_norm_backward(const Invocation& invocation, Runtime& runtime,
                                     const std::atomic<bool>& stop);
Result<void> bench_rope(const Invocation& invocation, const std::optional<Target>& target,
                        const std::atomic<bool>& stop);
Result<void> bench_kv(const Invocation& invocation, const std::optional<Target>& target,
                      const std::atomic<bool>& stop);
Result<void> bench_attention(const Invocation& invocation, const std::optional<Target>& target,
                             const std::atomic<bool>& stop);
Result<void> bench_linear_cross_entropy(const Invocation& invocation, const std::optional<Target>& target,
                                        const std::atomic<bool>& stop);
Result<void> bench_cache(const Invocation& invocation, const std::optional<Target>& target,
                         const std::atomic<bool>& stop);
Result<void> bench_compile(const Invocation& invocation, const std::optional<Target>& target,
                           const std::atomic<bool>& stop);

}  // namespace lathe::tools
