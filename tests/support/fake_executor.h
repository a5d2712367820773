// FakeExecutor: an Executor with no device behind it, which records what it is asked to do.
#pragma once

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/executor.h"

namespace lathe::tests {

/// Memory is the host's. `refuse_loads` makes the next loads fail, as a driver does that dislikes a binary.
class FakeExecutor : public runtime::Executor, private runtime::DeviceMemory {
 public:
  struct Launch {
    codegen::Grid grid;
    std::vector<std::byte> args;
  };

  explicit FakeExecutor(Target target) { device_.target = std::move(target); }

  std::atomic<int> loads{0};
  std::atomic<int> unloads{0};
  std::atomic<int> refuse_loads{0};
  std::atomic<ErrorCode> refusal{ErrorCode::load_failed};

  std::vector<Launch> launches() const {
    std::lock_guard lock(mutex_);
    return launches_;
  }

  const Device& device() const override { return device_; }

  Result<std::unique_ptr<runtime::LoadedKernel>> load(const codegen::KernelBinary& binary) override {
    if (refuse_loads > 0) {
      --refuse_loads;
      return Error{.code = refusal, .stage = Stage::load, .message = "the fake device refuses it"};
    }
    ++loads;
    return std::make_unique<FakeKernel>(binary, unloads);
  }

  Result<void> launch(const runtime::LoadedKernel&, const codegen::Grids& grids,
                      std::span<const std::byte> args, Stream) override {
    std::lock_guard lock(mutex_);
    for (const codegen::Grid& grid : grids) {
      if (grid.x != 0) launches_.push_back({grid, {args.begin(), args.end()}});
    }
    return {};
  }

  Result<void> synchronize(Stream) override { return {}; }
  Result<double> time_ms(Stream, const std::function<Result<void>()>& work) override {
    if (auto done = work(); !done) return std::move(done).error();
    return 1.0;
  }
  DeviceMemory& memory() override { return *this; }
  Result<runtime::TensorMap> encode_tensor_map(const runtime::TensorMapSpec&) const override {
    return runtime::TensorMap{};
  }

 private:
  struct FakeKernel : runtime::LoadedKernel {
    FakeKernel(codegen::KernelBinary held, std::atomic<int>& counter)
        : binary(std::move(held)), unloads(counter) {}
    ~FakeKernel() override { ++unloads; }
    codegen::KernelBinary binary;
    std::atomic<int>& unloads;
  };

  Result<void*> allocate(std::size_t bytes) override {
    return std::aligned_alloc(256, (bytes / 256 + 1) * 256);
  }
  void release(void* pointer) noexcept override { std::free(pointer); }
  Result<void> copy(void* to, const void* from, std::size_t bytes, Stream) override {
    std::memcpy(to, from, bytes);
    return {};
  }
  Result<void> fill(void* pointer, unsigned char value, std::size_t bytes, Stream) override {
    std::memset(pointer, value, bytes);
    return {};
  }

  Device device_;
  mutable std::mutex mutex_;
  std::vector<Launch> launches_;
};

}  // namespace lathe::tests
