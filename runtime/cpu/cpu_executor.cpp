#include "runtime/cpu/cpu_executor.h"

#include <sys/mman.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/args_base.h>

#include "codegen/clang_compiler.h"
#include "runtime/base/parallelism.h"
#include "runtime/base/try.h"
#include "runtime/cpu/object_linker.h"

namespace lathe::runtime {

namespace {

using Entry = void (*)(const void* args, Index first_block, Index last_block);

class CpuKernel : public LoadedKernel {
 public:
  CpuKernel(std::unique_ptr<ObjectLinker::LinkedObject> object, std::vector<Entry> entries)
      : object_(std::move(object)), entries_(std::move(entries)) {}
  std::span<const Entry> entries() const { return entries_; }

 private:
  std::unique_ptr<ObjectLinker::LinkedObject> object_;
  std::vector<Entry> entries_;
};

class HostMemory : public DeviceMemory {
 public:
  Result<void*> allocate(std::size_t bytes) override {
    const bool is_large = bytes >= kLarge;
    const std::size_t alignment = is_large ? kHugePage : kAlignment;
    if (bytes <= SIZE_MAX - alignment) {
      // Rounded up, because aligned_alloc asks for it; at least one unit, so that 0 bytes have an address
      // too.
      const std::size_t rounded = (bytes / alignment + 1) * alignment;
      if (void* memory = std::aligned_alloc(alignment, rounded)) {
        // Only advice: a kernel without huge pages refuses it.
        if (is_large) madvise(memory, rounded, MADV_HUGEPAGE);
        return memory;
      }
    }
    return Error{.code = ErrorCode::out_of_memory,
                 .stage = Stage::api,
                 .message = fmt::format("cannot allocate {} bytes of host memory", bytes)};
  }
  void release(void* memory) noexcept override { std::free(memory); }
  Result<void> copy(void* to, const void* from, std::size_t bytes, Stream) override {
    if (bytes != 0) std::memcpy(to, from, bytes);
    return {};
  }
  Result<void> fill(void* memory, unsigned char value, std::size_t bytes, Stream) override {
    if (bytes != 0) std::memset(memory, value, bytes);
    return {};
  }

 private:
  static constexpr std::size_t kAlignment = 256;
  /// A cache of keys is read a few hundred bytes here and there: with small pages each place costs a walk
  /// through the page tables.
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  static constexpr std::size_t kLarge = 4 * kHugePage;
};

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(std::min(line.find(": ") + 2, line.size()));
  }
  return "CPU";
}

Executor::Device describe_device() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return {.target = codegen::host_cpu_target(),
          .name = processor_name(),
          .driver = {},
          .processors = base::usable_processors(),
          .last_level_cache_bytes = cache > 0 ? static_cast<std::size_t>(cache) : 0};
}

class CpuExecutor : public Executor {
 public:
  explicit CpuExecutor(std::shared_ptr<ObjectLinker> linker)
      : linker_(std::move(linker)), device_(describe_device()) {}

  const Device& device() const override { return device_; }

  Result<std::unique_ptr<LoadedKernel>> load(const codegen::KernelBinary& binary) override {
    const codegen::Payload* object = binary.find(codegen::PayloadKind::object);
    if (object == nullptr || binary.entries.empty()) {
      return Error{
          .code = ErrorCode::load_failed,
          .stage = Stage::load,
          .message = "the binary has no object code or names no entry point: it was not compiled for a CPU"};
    }
    LATHE_TRY(auto linked, ObjectLinker::link(linker_, object->bytes));
    std::vector<Entry> entries;
    for (const codegen::EntryPoint& entry : binary.entries) {
      LATHE_TRY(void* const address, linked->address_of(entry.name));
      entries.push_back(reinterpret_cast<Entry>(address));
    }
    return std::make_unique<CpuKernel>(std::move(linked), std::move(entries));
  }

  Result<void> launch(const LoadedKernel& kernel, const codegen::Grids& grids,
                      std::span<const std::byte> args, Stream) override {
    const std::span<const Entry> entries = static_cast<const CpuKernel&>(kernel).entries();
    for (std::size_t i = 0; i < entries.size(); ++i) run(entries[i], static_cast<Index>(grids[i].x), args);
    return {};
  }

  /// Launches are complete when they return.
  Result<void> synchronize(Stream) override { return {}; }

  Result<double> time_ms(Stream, const std::function<Result<void>()>& work) override {
    const auto begin = std::chrono::steady_clock::now();
    LATHE_CHECK(work());
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  }

  DeviceMemory& memory() override { return memory_; }

  Result<TensorMap> encode_tensor_map(const TensorMapSpec&) const override {
    return Error{.code = ErrorCode::unsupported,
                 .stage = Stage::launch,
                 .message = "tensor maps are for GPUs of sm_90 and later: a CPU has no TMA unit",
                 .hint = "pass the tensor's address and strides to kernels for the CPU"};
  }

 private:
  void run(Entry entry, Index blocks, std::span<const std::byte> args) const {
    if (blocks <= 1 || device_.processors == 1) {
      // Waking other threads takes longer than a block.
      if (blocks > 0) entry(args.data(), 0, blocks);
      return;
    }
    // Isolated: a caller that is itself a task must not be given another of its tasks while it waits here.
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(tbb::blocked_range<Index>(0, blocks), [&](const tbb::blocked_range<Index>& range) {
        entry(args.data(), range.begin(), range.end());
      });
    });
  }

  const std::shared_ptr<ObjectLinker> linker_;
  const Device device_;
  HostMemory memory_;
};

}  // namespace

Result<std::unique_ptr<Executor>> make_cpu_executor() {
  LATHE_TRY(auto linker, ObjectLinker::create());
  return std::make_unique<CpuExecutor>(std::move(linker));
}

}  // namespace lathe::runtime
