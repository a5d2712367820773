// Runtime: wires stores, compilers and executors from Options, and runs what may take long on threads of its
// own.
#include <lathe/runtime.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "cache/disk_store.h"
#include "cache/memory_store.h"
#include "cache/overlay_store.h"
#include "runtime/base/try.h"
#include "runtime/executors.h"
#include "runtime/options.h"
#include "runtime/pipeline.h"
#include "runtime/worker_pool.h"

namespace lathe {

using runtime::Executor;
using runtime::PipelineParts;
using runtime::ResolvedOptions;

class Runtime::Impl {
 public:
  Impl(PipelineParts parts, int threads)
      : executor(parts.executor),
        no_executor(parts.no_executor),
        target(parts.target),
        compile_threads(threads),
        pipeline(std::move(parts)),
        pool(threads) {}

  std::shared_ptr<Executor> executor;
  std::optional<Error> no_executor;
  Target target;
  int compile_threads;
  runtime::Pipeline pipeline;
  runtime::WorkerPool pool;  // last: its tasks use all of the above
};

namespace {

/// What the stores are made of, and what of them could not be had.
struct Stores {
  std::shared_ptr<cache::OverlayStore> overlay;
  std::shared_ptr<cache::DiskStore> disk;
  std::vector<std::string> warnings;
};

/// Memory first, then the user's directory, then those that are only read. A directory that cannot be used is
/// left out and said so: the kernels run all the same.
Stores open_stores(const ResolvedOptions& options) {
  Stores stores;
  std::vector<cache::OverlayLayer> layers;
  layers.push_back(
      {.store = std::make_shared<cache::MemoryStore>(options.memory_cache_bytes), .promote = true});
  if (options.disk_cache && options.cache_dir.empty()) {
    stores.warnings.emplace_back(
        "no cache directory: neither LATHE_CACHE_DIR, XDG_CACHE_HOME nor HOME is set; kernels are not kept "
        "on disk");
  } else if (options.disk_cache) {
    if (auto disk = cache::DiskStore::open({.root = options.cache_dir})) {
      stores.disk = *std::move(disk);
      layers.push_back({.store = stores.disk});
    } else {
      stores.warnings.push_back("the cache directory is not used: " + disk.error().message + "; " +
                                disk.error().hint);
    }
  }
  for (const std::string& directory : options.read_only_cache_dirs) {
    if (auto disk = cache::DiskStore::open({.root = directory, .read_only = true})) {
      layers.push_back({.store = *std::move(disk)});
    } else {
      stores.warnings.push_back("a read-only cache directory is not used: " + disk.error().message);
    }
  }
  stores.overlay = std::make_shared<cache::OverlayStore>(std::move(layers));
  return stores;
}

Result<codegen::TemplateLibrary> open_templates(const ResolvedOptions& options) {
  if (options.template_dir.empty()) return codegen::TemplateLibrary::embedded();
  return codegen::TemplateLibrary::from_directory(options.template_dir);
}

Result<PipelineParts> assemble(const ResolvedOptions& options, Stores& stores) {
  LATHE_TRY(auto templates, open_templates(options));
  PipelineParts parts{
      .executor = nullptr,
      .no_executor = std::nullopt,
      .target = {.backend = Backend::cpu, .arch = "none"},
      .toolchains = std::make_shared<runtime::Toolchains>(runtime::default_opener(options.nvrtc_path)),
      .templates = std::move(templates),
      .stores = stores.overlay,
      .disk = stores.disk,
      .trace = nullptr,
      .mode = options.mode,
      .lock_timeout = options.lock_timeout,
      .on_event = options.on_event};
  if (options.mode == Mode::record) parts.trace = std::make_shared<runtime::SpecTrace>(options.record_file);
  auto executor = runtime::open_executor(options);
  if (!executor) {
    // Asked for and not there is an error. Not asked for: compiling ahead of time still works.
    if (options.target) return std::move(executor).error();
    parts.no_executor = std::move(executor).error();
    return parts;
  }
  parts.executor = *std::move(executor);
  const Target& device = parts.executor->device().target;
  parts.target = options.target && !options.target->is_native() ? *options.target : device;
  return parts;
}

Error cancelled() {
  return {.code = ErrorCode::cancelled, .stage = Stage::api, .message = "stopped before this was begun"};
}

}  // namespace

Result<Runtime> Runtime::open(const Options& options) {
  LATHE_TRY(const ResolvedOptions resolved, runtime::resolve(options, runtime::process_environment()));
  Stores stores = open_stores(resolved);
  LATHE_TRY(PipelineParts parts, assemble(resolved, stores));
  auto impl = std::make_shared<Impl>(std::move(parts), resolved.compile_threads);
  for (const std::string& warning : stores.warnings) impl->pipeline.counters().warn(warning);
  return Runtime(std::move(impl));
}

Runtime::Runtime(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime& Runtime::operator=(Runtime&&) noexcept = default;
Runtime::~Runtime() = default;

const Target& Runtime::target() const {
  return impl_->target;
}
bool Runtime::has_device() const {
  return impl_->executor != nullptr;
}

DeviceInfo Runtime::device() const {
  if (!impl_->executor) return {};
  const Executor::Device& device = impl_->executor->device();
  return {device.name, device.driver, device.processors, device.last_level_cache_bytes};
}

Result<Kernel> Runtime::get_kernel(const KernelSpec& spec) {
  return impl_->pipeline.kernel(spec);
}

std::optional<Kernel> Runtime::try_get(const KernelSpec& spec) {
  return impl_->pipeline.loaded_kernel(spec);
}

std::shared_future<Result<Kernel>> Runtime::get_async(const KernelSpec& spec) {
  auto promise = std::make_shared<std::promise<Result<Kernel>>>();
  std::shared_future<Result<Kernel>> future = promise->get_future().share();
  if (auto loaded = impl_->pipeline.loaded_kernel(spec)) {
    promise->set_value(*std::move(loaded));
    return future;
  }
  // A plain pointer: the pool is a member of Impl and runs its tasks out before the rest goes.
  impl_->pool.submit([promise, spec, impl = impl_.get()](bool is_cancelled) {
    promise->set_value(is_cancelled ? Result<Kernel>(cancelled()) : impl->pipeline.kernel(spec));
  });
  return future;
}

void Runtime::prefetch(std::span<const KernelSpec> specs) {
  for (const KernelSpec& spec : specs) (void)get_async(spec);
}

std::vector<PrecompileOutcome> Runtime::precompile(
    std::span<const PrecompileItem> items, const std::function<void(const PrecompileOutcome&)>& on_done,
    const std::atomic<bool>* stop) {
  std::vector<PrecompileOutcome> outcomes(items.size());
  std::atomic<std::size_t> next{0};
  std::mutex done_mutex;
  const auto work = [&] {
    for (std::size_t index = next++; index < items.size(); index = next++) {
      PrecompileOutcome& outcome = outcomes[index];
      outcome.index = index;
      if (stop != nullptr && stop->load()) {
        outcome.error = cancelled();
        continue;
      }
      const auto begin = std::chrono::steady_clock::now();
      auto obtained = impl_->pipeline.binary(items[index].spec, items[index].target);
      outcome.duration = std::chrono::steady_clock::now() - begin;
      if (obtained) {
        outcome.key = obtained->key.digest.hex();
        outcome.was_cached = obtained->was_cached;
        outcome.resources = obtained->binary.resources;
        outcome.compile_time = obtained->binary.compile_time;
      } else {
        outcome.error = std::move(obtained).error();
      }
      std::lock_guard lock(done_mutex);
      if (on_done) on_done(outcome);
    }
  };
  std::vector<std::thread> threads;
  const std::size_t wanted = std::min(items.size(), static_cast<std::size_t>(impl_->compile_threads));
  for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

Result<void> Runtime::synchronize(Stream stream) {
  if (!impl_->executor) return *impl_->no_executor;
  return impl_->executor->synchronize(stream);
}

Result<Buffer> Runtime::allocate(std::size_t bytes) {
  if (!impl_->executor) return *impl_->no_executor;
  LATHE_TRY(void* const pointer, impl_->executor->memory().allocate(bytes));
  std::shared_ptr<void> owner(
      pointer, [executor = impl_->executor](void* memory) { executor->memory().release(memory); });
  return Buffer(std::move(owner), bytes);
}

Result<void> Runtime::copy_to_device(void* device, const void* host, std::size_t bytes, Stream stream) {
  if (!impl_->executor) return *impl_->no_executor;
  return impl_->executor->memory().copy(device, host, bytes, stream);
}

Result<void> Runtime::copy_to_host(void* host, const void* device, std::size_t bytes, Stream stream) {
  if (!impl_->executor) return *impl_->no_executor;
  return impl_->executor->memory().copy(host, device, bytes, stream);
}

Result<double> Runtime::time_ms(Stream stream, const std::function<Result<void>()>& work) {
  if (!impl_->executor) return *impl_->no_executor;
  return impl_->executor->time_ms(stream, work);
}

Stats Runtime::stats() const {
  return impl_->pipeline.stats();
}

Result<Explanation> Runtime::explain(const KernelSpec& spec) const {
  return impl_->pipeline.explain(spec);
}

}  // namespace lathe
