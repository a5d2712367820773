// PrecompileReport: what `lathe precompile` says, item by item and at the end.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include <lathe/runtime.h>

#include "tools/lathe/exit_code.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/progress.h"

namespace lathe::tools {

/// "cuda:sm_90a rms_norm 4096 bf16".
std::string precompile_label(const PrecompileItem& item);

/// Not thread-safe. REQUIRES: what it is made of outlives it.
class PrecompileReport {
 public:
  PrecompileReport(const Invocation& invocation, std::span<const PrecompileItem> items,
                   std::string directory);

  /// An item is done: a step of progress, and if it failed the error and a command line that repeats it.
  void add(const PrecompileOutcome& outcome);

  /// The summary. `not_begun` items were left out after a failure or an interrupt.
  void finish(std::size_t not_begun, std::chrono::duration<double> elapsed) const;

  /// For what was added: ok, failed, or toolchain if nothing else went wrong.
  ExitCode code() const;

 private:
  void tell_failure(const PrecompileItem& item, const Error& error) const;
  nlohmann::ordered_json as_json(const PrecompileOutcome& outcome) const;

  const Invocation& invocation_;
  std::span<const PrecompileItem> items_;
  std::string directory_;
  Progress progress_;
  std::size_t compiled_ = 0;
  std::size_t cached_ = 0;
  std::size_t failed_ = 0;
  std::size_t missing_toolchain_ = 0;
  std::size_t spilled_ = 0;
};

}  // namespace lathe::tools
