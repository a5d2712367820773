#include "runtime/ptx/emulator.h"

#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "runtime/base/parallelism.h"
#include "runtime/base/try.h"
#include "runtime/ptx/decode.h"
#include "runtime/ptx/parser.h"
#include "runtime/ptx/tensor_map.h"

namespace lathe::runtime {

namespace {

/// Multiprocessors that kernels are told of. Few, so that those which fill the device stay small.
constexpr int kProcessors = 4;

class EmulatedMemory : public DeviceMemory {
 public:
  Result<void*> allocate(std::size_t bytes) override {
    if (void* memory = memory_.allocate(bytes)) return memory;
    return Error{.code = ErrorCode::out_of_memory,
                 .stage = Stage::api,
                 .message = fmt::format("cannot allocate {} bytes of emulated device memory", bytes)};
  }
  void release(void* pointer) noexcept override { memory_.release(pointer); }
  Result<void> copy(void* to, const void* from, std::size_t bytes, Stream) override {
    if (bytes != 0) std::memcpy(to, from, bytes);
    memory_.define(to, bytes);
    return {};
  }
  Result<void> fill(void* pointer, unsigned char value, std::size_t bytes, Stream) override {
    if (bytes != 0) std::memset(pointer, value, bytes);
    memory_.define(pointer, bytes);
    return {};
  }

  ptx::GlobalMemory& allocations() { return memory_; }

 private:
  ptx::GlobalMemory memory_;
};

/// One entry point, with the module's global variables: each has its own, as Lathe's kernels have constants
/// only.
class EmulatedEntry {
 public:
  EmulatedEntry(ptx::Program program, codegen::LaunchFacts facts, ptx::GlobalMemory& memory)
      : program_(std::move(program)), facts_(facts), memory_(&memory) {
    for (const ptx::GlobalVariable& variable : program_.variables)
      memory_->add(variable.address, variable.bytes, variable.name, variable.is_constant);
  }
  EmulatedEntry(const EmulatedEntry&) = delete;
  EmulatedEntry& operator=(const EmulatedEntry&) = delete;
  ~EmulatedEntry() {
    for (const ptx::GlobalVariable& variable : program_.variables) memory_->remove(variable.address);
  }
  const ptx::Program& program() const { return program_; }
  const codegen::LaunchFacts& facts() const { return facts_; }

 private:
  ptx::Program program_;
  codegen::LaunchFacts facts_;
  ptx::GlobalMemory* memory_;
};

struct EmulatedKernel : LoadedKernel {
  std::vector<std::unique_ptr<EmulatedEntry>> entries;
};

Error bad_launch(std::string message) {
  return {.code = ErrorCode::launch_failed, .stage = Stage::launch, .message = std::move(message)};
}

unsigned volume(const codegen::Dim3& size) {
  return size.x * size.y * size.z;
}

/// Of a block, what the architecture has.
Result<void> check_shared_memory(const EmulatedEntry& kernel, const std::string& arch_name) {
  const codegen::CudaArch* arch = codegen::find_cuda_arch(arch_name);
  const std::size_t fixed = kernel.program().static_shared_bytes;
  const std::size_t dynamic = kernel.facts().dynamic_shared_bytes;
  if (arch == nullptr || fixed + dynamic <= arch->max_dynamic_shared_bytes) return {};
  return bad_launch(
      fmt::format("{}: needs {} bytes of dynamic and {} of static shared memory per block, and {} has {}",
                  kernel.program().name, dynamic, fixed, arch->name, arch->max_dynamic_shared_bytes));
}

/// What the driver would refuse.
Result<void> check_launch(const EmulatedEntry& kernel, const codegen::Grid& grid, std::size_t parameter_bytes,
                          const std::string& arch) {
  const codegen::LaunchFacts& facts = kernel.facts();
  const ptx::Program& program = kernel.program();
  if (volume(facts.block) == 0 || volume(facts.block) > program.max_threads) {
    return bad_launch(fmt::format("{}: the block has {} threads, the kernel allows 1 to {}", program.name,
                                  volume(facts.block), program.max_threads));
  }
  const codegen::Dim3& cluster = facts.cluster;
  if (volume(cluster) == 0 || volume(cluster) > 16 || grid.x % cluster.x != 0 || grid.y % cluster.y != 0 ||
      grid.z % cluster.z != 0) {
    return bad_launch(
        fmt::format("{}: a grid of {} x {} x {} blocks cannot be made of clusters of {} x {} x {}",
                    program.name, grid.x, grid.y, grid.z, cluster.x, cluster.y, cluster.z));
  }
  if (grid.x >= std::uint64_t{1} << 31 || grid.y > 65535 || grid.z > 65535) {
    return bad_launch(fmt::format("{}: a grid of {} x {} x {} blocks is beyond 2^31 - 1 x 65535 x 65535",
                                  program.name, grid.x, grid.y, grid.z));
  }
  if (parameter_bytes < program.parameter_bytes) {
    return bad_launch(fmt::format("{}: the kernel takes {} bytes of parameters, it is given {}", program.name,
                                  program.parameter_bytes, parameter_bytes));
  }
  return check_shared_memory(kernel, arch);
}

class Emulator : public Executor {
 public:
  explicit Emulator(EmulatorSettings settings) : settings_(std::move(settings)) {
    if (settings_.workers == 0) settings_.workers = static_cast<unsigned>(base::usable_processors());
    device_ = {.target = {.backend = Backend::emulate, .arch = settings_.arch},
               .name = "PTX emulator",
               .driver = {},
               .processors = kProcessors,
               .last_level_cache_bytes = 0};
  }

  const Device& device() const override { return device_; }

  Result<std::unique_ptr<LoadedKernel>> load(const codegen::KernelBinary& binary) override {
    const codegen::Payload* payload = binary.find(codegen::PayloadKind::ptx);
    if (payload == nullptr || binary.entries.empty()) {
      return Error{.code = ErrorCode::load_failed,
                   .stage = Stage::load,
                   .message = "the binary has no PTX or names no entry point: it was not compiled for a GPU"};
    }
    const auto* text = reinterpret_cast<const char*>(payload->bytes.data());
    LATHE_TRY(const ptx::Module module, ptx::parse(std::string(text, payload->bytes.size())));
    auto kernel = std::make_unique<EmulatedKernel>();
    for (const codegen::EntryPoint& entry : binary.entries) {
      LATHE_TRY(ptx::Program program, ptx::decode(module, entry.name));
      kernel->entries.push_back(
          std::make_unique<EmulatedEntry>(std::move(program), entry.launch, memory_.allocations()));
    }
    return kernel;
  }

  Result<void> launch(const LoadedKernel& kernel, const codegen::Grids& grids,
                      std::span<const std::byte> args, Stream) override {
    const auto& entries = static_cast<const EmulatedKernel&>(kernel).entries;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (grids[i].x != 0) LATHE_CHECK(run(*entries[i], grids[i], args));
    }
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

  Result<TensorMap> encode_tensor_map(const TensorMapSpec& spec) const override {
    return ptx::encode_tensor_map(spec);
  }

 private:
  Result<void> run(const EmulatedEntry& emulated, const codegen::Grid& grid,
                   std::span<const std::byte> args) {
    LATHE_CHECK(check_launch(emulated, grid, args.size(), settings_.arch));
    ptx::FaultLog faults;
    LaunchProfile profile{.kernel = emulated.program().name};
    ptx::run({.program = &emulated.program(),
              .parameters = args,
              .grid = grid,
              .facts = emulated.facts(),
              .memory = &memory_.allocations(),
              .faults = &faults,
              .checks = settings_.checks,
              .seed = settings_.seed,
              .random_schedule = settings_.random_schedule,
              .workers = settings_.workers,
              .processors = kProcessors,
              .counts = settings_.on_profile ? &profile : nullptr});
    if (settings_.on_profile) settings_.on_profile(profile);
    if (!faults.empty()) return faults.error(emulated.program().name);
    return {};
  }

  EmulatorSettings settings_;
  Device device_;
  EmulatedMemory memory_;
};

}  // namespace

std::unique_ptr<Executor> make_emulator(const EmulatorSettings& settings) {
  return std::make_unique<Emulator>(settings);
}

}  // namespace lathe::runtime
