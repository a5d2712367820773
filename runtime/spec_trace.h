// SpecTrace: the specs that a program used, one JSON object a line, for `lathe warm`.
#pragma once

#include <mutex>
#include <string>
#include <unordered_set>

#include <lathe/error.h>
#include <lathe/specs.h>
#include <lathe/target.h>

namespace lathe::runtime {

/// Appends {"spec": {...}, "target": "cuda:sm_90a"} once per spec and target. Each line is one write, so that
/// several processes may share the file. Thread-safe.
class SpecTrace {
 public:
  explicit SpecTrace(std::string path) : path_(std::move(path)) {}

  /// REQUIRES: a normalized spec. Errors: io_failed, with the path and the system's reason.
  Result<void> add(const KernelSpec& spec, const Target& target);

 private:
  std::string path_;
  std::mutex mutex_;
  std::unordered_set<std::string> seen_;
};

}  // namespace lathe::runtime
