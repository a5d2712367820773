// Kernel: the handle that callers launch.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <lathe/error.h>
#include <lathe/export.h>
#include <lathe/specs.h>
#include <lathe/target.h>

namespace lathe {

/// Where work is queued: a CUstream or cudaStream_t. The default is CUDA's null stream. On the CPU every
/// launch is complete when it returns, and the stream is ignored.
struct Stream {
  void* handle = nullptr;
  Stream() = default;
  Stream(void* stream) : handle(stream) {}
};

/// What the compiler reported of a kernel. On the CPU all are zero.
struct ResourceUse {
  int registers = 0;             ///< per thread
  int spill_store_bytes = 0;     ///< per thread
  int spill_load_bytes = 0;      ///< per thread
  int stack_bytes = 0;           ///< per thread
  int static_shared_bytes = 0;   ///< per block
  int dynamic_shared_bytes = 0;  ///< per block

  friend bool operator==(const ResourceUse&, const ResourceUse&) = default;
};

/// A compiled and loaded kernel. Cheap to copy; the code stays loaded until the last copy is gone. Safe to
/// use from several threads at once. It keeps its Runtime's device alive, so it may outlive the Runtime.
class LATHE_API Kernel {
 public:
  class State;
  explicit Kernel(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  /// Queues the kernel. `args` points to `size` bytes: the Args struct of the spec's op. Arguments are
  /// checked (null pointers, alignment, strides, counts); what is wrong comes back as
  /// ErrorCode::invalid_argument and nothing is queued. Pointers are device pointers on CUDA, host pointers
  /// on the CPU.
  Result<void> launch_bytes(const void* args, std::size_t size, Stream stream) const;

  /// Bytes of workspace that a launch with these arguments needs, for the Args member `workspace`; 0 for ops
  /// that have none. Only counts are looked at: pointers may still be null. The same arguments always need
  /// the same, and fewer rows never more. Errors: invalid_argument.
  Result<std::size_t> workspace_bytes_for(const void* args, std::size_t size) const;

  /// The spec with every default resolved.
  const KernelSpec& spec() const;
  const Target& target() const;
  const ResourceUse& resources() const;
  /// 32 hexadecimal digits: the kernel's name in the cache.
  std::string key() const;

  /// For Lathe itself.
  const State& state() const { return *state_; }

 private:
  std::shared_ptr<const State> state_;
};

/// A Kernel that knows its op, so that `launch` takes the right struct:
/// `kernel.launch({.x = x, .y = y, .rows = n}, stream)`.
template <SpecType Spec>
class KernelFor : public Kernel {
 public:
  using Args = typename Spec::Args;
  explicit KernelFor(Kernel kernel) : Kernel(std::move(kernel)) {}
  Result<void> launch(const Args& args, Stream stream) const {
    return launch_bytes(&args, sizeof args, stream);
  }
  Result<std::size_t> workspace_bytes(const Args& args) const {
    return workspace_bytes_for(&args, sizeof args);
  }
};

}  // namespace lathe
