// FakeDriver: a CUDA driver made of memory, behind the product's own DriverApi. It records what it is asked
// for and fails where it is told to. One at a time may live; its functions are thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "codegen/kernel_binary.h"
#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/driver_loader.h"

namespace lathe::testing {

/// The 64-byte header of a GPU program: all that anyone but the driver looks at.
codegen::Bytes tiny_cubin();

class FakeDriver {
 public:
  /// One recorded cuLaunchKernelEx. `config.attributes` is not valid any more; `attributes` is.
  struct Launch {
    runtime::cuda::LaunchConfig config;
    std::vector<runtime::cuda::LaunchAttribute> attributes;
    codegen::Bytes args;
    runtime::cuda::Context context;
  };
  /// One recorded cuFuncSetAttribute.
  struct Attribute {
    runtime::cuda::FunctionAttribute attribute;
    int value;
    friend bool operator==(const Attribute&, const Attribute&) = default;
  };

  /// Loaded code; library, kernel and function handles all point to it.
  struct Code {
    bool is_cubin;
  };

  FakeDriver();
  ~FakeDriver();
  FakeDriver(const FakeDriver&) = delete;
  FakeDriver& operator=(const FakeDriver&) = delete;

  /// The table, bound through the product's loader.
  runtime::cuda::DriverApi api() const;
  /// What dlsym finds in the fake's library.
  runtime::cuda::SymbolLookup exports() const;

  /// Makes every later call of an entry point return `status`; success heals it.
  void fail(const std::string& call, runtime::cuda::Status status);
  int count(const std::string& call) const;
  /// Those between push and pop of the calling thread; nullptr without.
  static runtime::cuda::Context current_context();
  static void set_current_context(runtime::cuda::Context context);
  static runtime::cuda::CaptureMode capture_mode();
  static runtime::cuda::Context primary_context();

  // How it behaves. Set before use.
  int version = 13000;
  int device_count = 1;
  std::map<runtime::cuda::DeviceAttribute, int> device_attributes;
  std::set<std::string> missing_symbols;
  std::set<std::string> entries{"kernel"};
  std::size_t parameter_bytes = 8;
  int static_shared_bytes = 0;
  runtime::cuda::Status cubin_status = runtime::cuda::Status::success;
  runtime::cuda::Status ptx_status = runtime::cuda::Status::success;
  bool is_lazy = false;  ///< code is refused when its function is asked for, not when it is loaded
  std::string jit_log;
  std::size_t free_bytes = 1u << 30;
  runtime::cuda::CaptureStatus capture = runtime::cuda::CaptureStatus::none;

  // What happened. Read when no other thread is at work.
  std::vector<Launch> launches;
  std::vector<Attribute> function_attributes;
  std::vector<std::string> loaded;  ///< "cubin", or the PTX text
  std::vector<runtime::cuda::CaptureMode> allocation_modes;
  std::deque<Code> code;  ///< all that was ever loaded, so that handles stay valid
  int log_buffers_given = 0;
  int live_libraries = 0;
  int live_events = 0;
  int live_allocations = 0;
  int retained_contexts = 0;

  /// Used by the entry points: counts the call and gives its fate.
  runtime::cuda::Status enter(const char* call);
  std::mutex& mutex() { return mutex_; }
  static FakeDriver& instance();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, runtime::cuda::Status> failures_;
  std::map<std::string, int> counts_;
};

}  // namespace lathe::testing
