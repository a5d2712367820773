// FakeCompiler: a Compiler that compiles nothing, and counts.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "codegen/compiler.h"

namespace lathe::tests {

/// The binary's one payload is the source's text, so equal sources give equal binaries. Thread-safe, but for
/// `delay`, which is set before.
class FakeCompiler : public codegen::Compiler {
 public:
  explicit FakeCompiler(std::string identity = "fake 1") : identity_(std::move(identity)) {}

  mutable std::atomic<int> compiles{0};
  std::chrono::milliseconds delay{0};

  void fail_with(Error error) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(error);
  }
  void succeed() {
    const std::lock_guard lock(mutex_);
    failure_.reset();
  }

  std::string identity() const override { return identity_; }

  Result<codegen::KernelBinary> compile(const codegen::KernelSource& source,
                                        const Target& target) const override {
    ++compiles;
    std::this_thread::sleep_for(delay);
    {
      const std::lock_guard lock(mutex_);
      if (failure_) return *failure_;
    }
    const auto kind =
        target.backend == Backend::cpu ? codegen::PayloadKind::object : codegen::PayloadKind::cubin;
    const auto bytes = std::as_bytes(std::span(source.text));
    return codegen::KernelBinary{.payloads = {{kind, {bytes.begin(), bytes.end()}}},
                                 .entries = source.entries};
  }

 private:
  std::string identity_;
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
};

}  // namespace lathe::tests
