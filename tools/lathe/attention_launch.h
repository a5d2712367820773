// AttentionLaunch: the plan of a launch of attention, from arrays that describe the batch.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <lathe/attention_plan.h>
#include <lathe/error.h>
#include <lathe/runtime.h>
#include <lathe/specs.h>

#include "tools/lathe/launch_arguments.h"

namespace lathe::tools {

/// Not thread-safe.
class AttentionLaunch {
 public:
  /// Takes query_indptr, kv_lengths and kv_indptr (int32 or int64, see AttentionBatch) out of `given`. What
  /// is left out follows from the rest: one request of all queries, or as many requests of one query; all
  /// keys of contiguous storage; requests one after the other. Nothing for other ops. Errors:
  /// invalid_argument, naming the array: wrong sizes, or a request that reaches beyond the arrays of the
  /// launch.
  static Result<std::optional<AttentionLaunch>> take(const KernelSpec& spec, GivenArguments& given);

  /// Plans for the kernel's device, and puts plan and workspace into the arguments. REQUIRES: `launch` is
  /// uploaded.
  Result<void> upload(Runtime& runtime, const Kernel& kernel, LaunchArguments& launch);

 private:
  AttentionLaunch() = default;

  AttentionSpec spec_;
  std::vector<std::int64_t> query_indptr_;
  std::vector<std::int64_t> kv_lengths_;
  std::vector<std::int64_t> kv_indptr_;
  Index capacity_ = 0;  // contiguous: keys of one request in memory
  Buffer plan_;
  Buffer workspace_;
};

}  // namespace lathe::tools
