// Pipeline: spec -> loaded kernel, one call per stage.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include <lathe/kernel.h>
#include <lathe/options.h>
#include <lathe/runtime.h>

#include "codegen/template_library.h"
#include "runtime/binary_cache.h"
#include "runtime/counters.h"
#include "runtime/executor.h"
#include "runtime/kernel_table.h"
#include "runtime/single_flight.h"
#include "runtime/spec_trace.h"
#include "runtime/toolchains.h"

namespace lathe::runtime {

/// What a Pipeline works with. All are shared or owned; the fakes of tests come in here.
struct PipelineParts {
  std::shared_ptr<Executor> executor;  ///< null: only `binary` and `explain` work
  std::optional<Error> no_executor;    ///< then, why
  Target target;                       ///< what kernels are compiled for; not native
  std::shared_ptr<Toolchains> toolchains;
  codegen::TemplateLibrary templates;
  std::shared_ptr<cache::OverlayStore> stores;
  std::shared_ptr<cache::DiskStore> disk;  ///< null: no cross-process lock
  std::shared_ptr<SpecTrace> trace;        ///< null: nothing is recorded
  Mode mode = Mode::compile;
  std::chrono::milliseconds lock_timeout{0};
  std::function<void(const Event&)> on_event;
};

/// A kernel's machine code and how it was come by.
struct ObtainedBinary {
  KernelKey key;
  codegen::KernelBinary binary;
  bool was_cached = false;
};

/// Thread-safe.
class Pipeline {
 public:
  explicit Pipeline(PipelineParts parts);

  /// The loaded kernel: from the table, a store, or the compiler. One thread works per spec; others wait for
  /// it.
  Result<Kernel> kernel(const KernelSpec& spec);

  /// From the table only.
  std::optional<Kernel> loaded_kernel(const KernelSpec& spec) const;

  /// The machine code for any target, loaded nowhere.
  Result<ObtainedBinary> binary(const KernelSpec& spec, const Target& target);

  Result<Explanation> explain(const KernelSpec& spec);

  Stats stats() const;
  Counters& counters() { return counters_; }

 private:
  Result<Kernel> make_kernel(const KernelSpec& spec);
  Result<ObtainedBinary> find_or_compile(const KernelSpec& spec, const Target& target);
  Result<ObtainedBinary> compile_once(const KernelSpec& spec, const Target& target,
                                      const codegen::KernelSource& source, const KernelKey& key);
  std::optional<ObtainedBinary> find(const KernelKey& key);
  Result<codegen::KernelBinary> compile(const codegen::KernelSource& source, const Target& target,
                                        const KernelKey& key);
  Result<std::vector<KernelKey>> candidate_keys(const KernelSpec& spec, const Target& target,
                                                const codegen::KernelSource& source);
  Result<Kernel> load(const KernelSpec& spec, const ObtainedBinary& obtained);
  Error frozen_miss(const KernelKey& key);

  PipelineParts parts_;
  Counters counters_;
  BinaryCache cache_;
  KernelTable table_;
  SingleFlight<std::string, Result<Kernel>> kernels_in_flight_;           // by canonical spec text
  SingleFlight<std::string, Result<ObtainedBinary>> binaries_in_flight_;  // by key
};

}  // namespace lathe::runtime
