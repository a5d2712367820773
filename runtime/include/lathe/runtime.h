// Runtime: the front door. A spec goes in, a running kernel comes out.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lathe/buffer.h>
#include <lathe/error.h>
#include <lathe/export.h>
#include <lathe/kernel.h>
#include <lathe/options.h>
#include <lathe/specs.h>
#include <lathe/target.h>

namespace lathe {

/// Counters since the Runtime was opened.
struct Stats {
  std::uint64_t table_hits = 0;   ///< the kernel was loaded already
  std::uint64_t memory_hits = 0;  ///< its binary was in memory
  std::uint64_t disk_hits = 0;    ///< ... in the cache directory or a read-only one
  std::uint64_t misses = 0;       ///< ... nowhere
  std::uint64_t compiles = 0;
  std::uint64_t compile_failures = 0;
  std::uint64_t lock_waits = 0;     ///< another process was compiling the same kernel
  std::uint64_t lock_timeouts = 0;  ///< ... for longer than Options::lock_timeout
  std::uint64_t corrupt_entries = 0;
  std::uint64_t store_failures = 0;  ///< reads or writes that failed; the kernels ran all the same
  std::chrono::nanoseconds compile_time{0};
  std::vector<std::string> warnings{};  ///< why the cache is not used, for example; each said once
};

/// How a kernel was, or would be, obtained.
struct Explanation {
  std::string key;                    ///< 32 hexadecimal digits
  std::string key_text;               ///< the labelled text behind it
  std::string found_in;               ///< "loaded", "memory", "disk /path", or empty: it would be compiled
  std::vector<std::string> searched;  ///< each store and what it answered
  std::string nearest;                ///< on a miss: key of the most similar entry, or empty
  std::vector<std::string>
      differences;  ///< ... and the fields that differ: "target: cuda:sm_80 here, cuda:sm_90a there"
};

/// One spec for one target, compiled ahead of time.
struct PrecompileItem {
  KernelSpec spec;
  Target target;
};

/// What became of a PrecompileItem.
struct PrecompileOutcome {
  std::size_t index = 0;  ///< into the items given
  bool was_cached = false;
  std::string key;
  std::chrono::nanoseconds duration{0};      ///< this time: a look-up if was_cached
  std::chrono::nanoseconds compile_time{0};  ///< of the compile that made it, whenever that was
  ResourceUse resources{};
  std::optional<Error> error{};
};

/// The device that kernels run on.
struct DeviceInfo {
  std::string name;    ///< "NVIDIA H200", "Intel(R) Xeon(R) ..."; empty: there is none
  std::string driver;  ///< version of the CUDA driver, or empty
  int processors = 0;  ///< streaming multiprocessors, or threads
  std::size_t last_level_cache_bytes = 0;
};

/// Compiles, caches, loads and launches. Thread-safe; cheap to move; several may live in one process.
class LATHE_API Runtime {
 public:
  /// Finds the device, the compilers and the cache directory. A cache that cannot be used is a warning in
  /// stats(), not an error. Fails with device_missing or toolchain_missing when the target asked for cannot
  /// be served.
  static Result<Runtime> open(const Options& options);

  Runtime(Runtime&&) noexcept;
  Runtime& operator=(Runtime&&) noexcept;
  ~Runtime();

  /// What kernels are compiled for: the target asked for or the device's own, never `native`; "cpu:none"
  /// without a device.
  const Target& target() const;
  /// False: `precompile` and `explain` work, what needs a device fails with device_missing.
  bool has_device() const;
  DeviceInfo device() const;

  /// The kernel of a spec: from the table of loaded kernels (under 200 ns), from a store, or compiled.
  /// Several threads that ask for the same kernel wait for one compile. A failed compile is remembered and
  /// reported again.
  template <SpecType Spec>
  Result<KernelFor<Spec>> get(const Spec& spec) {
    auto kernel = get_kernel(KernelSpec(spec));
    if (!kernel) return std::move(kernel).error();
    return KernelFor<Spec>(*std::move(kernel));
  }
  Result<Kernel> get_kernel(const KernelSpec& spec);

  /// The kernel if it is loaded; never blocks on a compile, a disk or the driver.
  std::optional<Kernel> try_get(const KernelSpec& spec);

  /// `get_kernel` on a background thread.
  std::shared_future<Result<Kernel>> get_async(const KernelSpec& spec);

  /// Starts `get_async` for each, to be picked up later by `get`.
  void prefetch(std::span<const KernelSpec> specs);

  /// Compiles for any targets, present or not, into the cache; loads nothing. `on_done`, if given, is called
  /// after each item, one call at a time. Returns one outcome per item, in order; a failed item does not stop
  /// the others. Setting `stop` ends it early: items not begun come back as ErrorCode::cancelled.
  std::vector<PrecompileOutcome> precompile(std::span<const PrecompileItem> items,
                                            const std::function<void(const PrecompileOutcome&)>& on_done = {},
                                            const std::atomic<bool>* stop = nullptr);

  /// Waits for all work queued on the stream and reports a kernel's failure.
  Result<void> synchronize(Stream stream);

  /// Memory of the device that kernels run on: for tools, tests and small programs. Engines bring their own.
  Result<Buffer> allocate(std::size_t bytes);
  /// Copies are complete when they return; `stream` orders them behind work queued before.
  Result<void> copy_to_device(void* device, const void* host, std::size_t bytes, Stream stream);
  Result<void> copy_to_host(void* host, const void* device, std::size_t bytes, Stream stream);

  /// Milliseconds of device time that `work` queued on `stream` takes, by events on CUDA, by the clock on the
  /// CPU.
  Result<double> time_ms(Stream stream, const std::function<Result<void>()>& work);

  Stats stats() const;
  /// How the spec's kernel is found, or why not. Loads and compiles nothing.
  Result<Explanation> explain(const KernelSpec& spec) const;

 private:
  class Impl;
  explicit Runtime(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lathe
