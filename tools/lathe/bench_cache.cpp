// How long a kernel takes that is there already: in the table of loaded ones, and on disk.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cache/digest.h"
#include "cache/disk_store.h"
#include "codegen/op.h"
#include "codegen/render.h"
#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/files.h"
#include "tools/lathe/gpu_compiler.h"
#include "tools/lathe/norm_workload.h"

namespace lathe::tools {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::duration<double, std::nano>;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr double kTableLimitNs = 200;
constexpr double kDiskLimitUs = 300;
constexpr double kChecksLimitUs = 100;
constexpr int kRounds = 25;

/// A directory of this process, so that the user's cache is neither read nor filled.
class ScratchDirectory {
 public:
  static Result<ScratchDirectory> make() {
    std::error_code error;
    std::string pattern = (fs::temp_directory_path(error) / "lathe-bench-XXXXXX").string();
    if (error || mkdtemp(pattern.data()) == nullptr) {
      return Error{.code = ErrorCode::io_failed,
                   .stage = Stage::store,
                   .message = fmt::format("cannot make a directory like {}", pattern),
                   .hint = "set TMPDIR to a directory that can be written"};
    }
    return ScratchDirectory(pattern);
  }
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Result<std::vector<PrecompileItem>> some_items(const Target& target) {
  std::vector<PrecompileItem> items;
  for (std::int64_t hidden_size = 1024; hidden_size <= 8192; hidden_size += 1024) {
    const RmsNormSpec plain{.hidden_size = hidden_size};
    LATHE_TRY(const KernelSpec spec, codegen::op_of(KernelSpec(plain)).normalize(plain));
    items.push_back({spec, target});
  }
  return items;
}

Result<void> bench_table(const Invocation& invocation, Runtime& runtime) {
  constexpr int kCalls = 100'000;
  const RmsNormSpec spec{.hidden_size = 4096};
  LATHE_TRY(const auto kernel, runtime.get(spec));
  std::vector<double> per_call;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    for (int i = 0; i < kCalls; ++i) {
      LATHE_TRY(const auto again, runtime.get(spec));
    }
    per_call.push_back(Nanoseconds(Clock::now() - begin).count() / kCalls);
  }
  report(invocation, {.name = "get of a loaded kernel",
                      .target = kernel.target().text(),
                      .value = median_of(per_call),
                      .unit = "ns",
                      .limit = kTableLimitNs});
  return {};
}

/// Digests of the rendered source and of the key, and the whole check of the entry's file.
Result<double> time_checks(const std::vector<PrecompileItem>& items, const std::string& directory) {
  const codegen::TemplateLibrary library = codegen::TemplateLibrary::embedded();
  LATHE_TRY(const codegen::KernelSource source,
            codegen::render(items.front().spec, items.front().target, library));
  LATHE_TRY(const auto store, cache::DiskStore::open({.root = directory, .read_only = true}));
  fs::path path;
  LATHE_CHECK(store->list([&](const cache::EntryFile& file) { path = file.path; }));
  LATHE_TRY(const std::string file, read_file(path.string()));
  std::vector<double> times;
  for (int round = 0; round < 4 * kRounds; ++round) {
    const auto begin = Clock::now();
    std::uint64_t sum = cache::digest_of(source.text).low;
    for (const codegen::SourceFile& header : source.headers) sum ^= cache::digest_of(header.text).low;
    const auto entry = cache::decode(std::as_bytes(std::span(file)));
    if (entry) sum ^= cache::digest_of(entry->key_text).low;
    times.push_back(Microseconds(Clock::now() - begin).count());
    // Using the sum keeps the compiler from leaving the digests out.
    if (!entry || sum == 0) {
      return Error{
          .code = ErrorCode::internal, .stage = Stage::store, .message = "an entry just written is damaged"};
    }
  }
  return median_of(times);
}

/// Each look-up is the first one of its kernel by a new Runtime, so that nothing is in memory. A runtime's
/// first look-up also opens the compiler, which happens once per process, and is left out.
Result<void> bench_disk(const Invocation& invocation, const Target& target, const std::atomic<bool>& stop) {
  LATHE_TRY(const ScratchDirectory scratch, ScratchDirectory::make());
  LATHE_TRY(const std::vector<PrecompileItem> items, some_items(target));
  Options options = invocation.options();
  options.target.reset();
  options.cache_dir = scratch.path();
  options.disk_cache = true;
  options.read_only_cache_dirs = "";
  LATHE_TRY(Runtime filler, Runtime::open(options));
  for (const PrecompileOutcome& outcome : filler.precompile(items, {}, &stop)) {
    if (stop) return {};
    if (outcome.error) return *outcome.error;
  }
  options.compile_threads = 1;
  std::vector<double> times;
  for (int round = 0; round < kRounds && !stop; ++round) {
    LATHE_TRY(Runtime fresh, Runtime::open(options));
    const auto outcomes = fresh.precompile(items);
    for (std::size_t i = 1; i < outcomes.size(); ++i) {
      if (!outcomes[i].was_cached) {
        return Error{.code = ErrorCode::internal,
                     .stage = Stage::store,
                     .message = "a kernel just stored was not found"};
      }
      times.push_back(Microseconds(outcomes[i].duration).count());
    }
  }
  if (stop) return {};
  report(invocation, {.name = "disk hit: spec to checked machine code in memory",
                      .target = target.text(),
                      .value = median_of(times),
                      .unit = "us",
                      .limit = kDiskLimitUs});
  LATHE_TRY(const double checks, time_checks(items, scratch.path()));
  report(invocation, {.name = "disk hit: of which hashing and checks",
                      .target = target.text(),
                      .value = checks,
                      .unit = "us",
                      .limit = kChecksLimitUs});
  return {};
}

}  // namespace

Result<void> bench_cache(const Invocation& invocation, const std::optional<Target>& target,
                         const std::atomic<bool>& stop) {
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (runtime.has_device()) {
    LATHE_CHECK(bench_table(invocation, runtime));
  } else {
    invocation.console().note("get of a loaded kernel is not measured: there is no device");
  }
  // A GPU's kernels are the larger ones, and need no GPU to be looked up.
  const bool has_nvrtc = find_nvrtc(invocation.environment()).has_value();
  if (!has_nvrtc && !runtime.has_device()) {
    invocation.console().note("disk hits are not measured: there is no compiler; see lathe doctor");
    return {};
  }
  const bool on_gpu = has_nvrtc && (!target || target->backend != Backend::cpu);
  return bench_disk(invocation,
                    on_gpu ? Target{.backend = Backend::cuda, .arch = "sm_90a"} : runtime.target(), stop);
}

}  // namespace lathe::tools
