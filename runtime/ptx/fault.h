// Fault: what the emulator found wrong in a kernel.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>

#include "codegen/kernel_source.h"
#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

enum class FaultKind : std::uint8_t {
  out_of_bounds,
  misaligned,
  read_only,      ///< a store to constant memory
  uninitialized,  ///< a value that nobody wrote is used
  race,
  divergence,  ///< lanes that must execute an instruction together do not
  deadlock,
  illegal,  ///< an operation that the ISA does not allow as it is used
  trap,
};

std::string_view name_of(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::illegal;
  std::string message;
  codegen::Dim3 block;
  std::optional<codegen::Dim3> thread;
  Origin origin;
};

/// Faults of one launch. Thread-safe.
class FaultLog {
 public:
  void add(Fault fault);
  bool empty() const { return is_empty_.load(std::memory_order_acquire); }
  /// All faults in one Error: the first in full.
  Error error(std::string_view kernel) const;

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> is_empty_{true};  ///< asked after each instruction
  std::vector<Fault> faults_;
};

}  // namespace lathe::runtime::ptx
