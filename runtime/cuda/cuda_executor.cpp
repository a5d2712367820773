#include "runtime/cuda/cuda_executor.h"

#include <utility>

#include "runtime/base/try.h"
#include "runtime/cuda/cuda_kernel.h"
#include "runtime/cuda/cuda_memory.h"
#include "runtime/cuda/driver_loader.h"
#include "runtime/cuda/scopes.h"
#include "runtime/cuda/session.h"
#include "runtime/cuda/stream_work.h"
#include "runtime/cuda/tensor_map.h"

namespace lathe::runtime {

namespace {

using cuda::check_call;
using cuda::DriverApi;
using cuda::StreamHandle;

StreamHandle handle_of(Stream stream) {
  return static_cast<StreamHandle>(stream.handle);
}

/// An event that destroys itself. Move-only.
class TimedEvent {
 public:
  static Result<TimedEvent> create(const DriverApi& api) {
    constexpr unsigned kWithTiming = 0;
    cuda::Event event = nullptr;
    LATHE_CHECK(check_call(api, api.event_create(&event, kWithTiming), "cuEventCreate"));
    return TimedEvent(api, event);
  }
  ~TimedEvent() {
    if (event_ != nullptr) api_->event_destroy(event_);
  }
  TimedEvent(TimedEvent&& other) noexcept : api_(other.api_), event_(std::exchange(other.event_, nullptr)) {}
  TimedEvent& operator=(TimedEvent&&) = delete;

  cuda::Event get() const { return event_; }
  Result<void> record(StreamHandle stream) const {
    return check_call(*api_, api_->event_record(event_, stream), "cuEventRecord");
  }

 private:
  TimedEvent(const DriverApi& api, cuda::Event event) : api_(&api), event_(event) {}

  const DriverApi* api_;
  cuda::Event event_;
};

/// Holds no state that changes: all of it is in the driver, which is thread-safe, so calls need no lock here.
class CudaExecutor : public Executor {
 public:
  explicit CudaExecutor(std::unique_ptr<const cuda::Session> session)
      : session_(std::move(session)), memory_(*session_) {
    const cuda::DeviceFacts& facts = session_->device();
    device_ = {.target = cuda::target_of(facts),
               .name = facts.name,
               .driver = cuda::driver_version_text(facts.driver),
               .processors = facts.multiprocessors,
               .last_level_cache_bytes = facts.l2_bytes};
  }

  const Device& device() const override { return device_; }

  Result<std::unique_ptr<LoadedKernel>> load(const codegen::KernelBinary& binary) override {
    return cuda::CudaKernel::load(*session_, binary);
  }

  Result<void> launch(const LoadedKernel& kernel, const codegen::Grids& grids,
                      std::span<const std::byte> args, Stream stream) override {
    return static_cast<const cuda::CudaKernel&>(kernel).launch(grids, args, handle_of(stream));
  }

  Result<void> synchronize(Stream stream) override {
    const DriverApi& api = session_->api();
    const cuda::ContextScope current(api, session_->context());
    LATHE_CHECK(check_call(api, current.status(), "cuCtxPushCurrent"));
    LATHE_CHECK(cuda::check_not_capturing(api, handle_of(stream), "synchronize"));
    return cuda::wait_for(api, handle_of(stream));
  }

  Result<double> time_ms(Stream stream, const std::function<Result<void>()>& work) override {
    const DriverApi& api = session_->api();
    const cuda::ContextScope current(api, session_->context());
    LATHE_CHECK(check_call(api, current.status(), "cuCtxPushCurrent"));
    LATHE_CHECK(cuda::check_not_capturing(api, handle_of(stream), "time_ms"));
    // Two events per call and none kept: timing is for benchmarks, and events belong to one stream at a time.
    LATHE_TRY(const TimedEvent start, TimedEvent::create(api));
    LATHE_TRY(const TimedEvent end, TimedEvent::create(api));
    LATHE_CHECK(start.record(handle_of(stream)));
    LATHE_CHECK(work());
    LATHE_CHECK(end.record(handle_of(stream)));
    LATHE_CHECK(check_call(api, api.event_synchronize(end.get()), "cuEventSynchronize"));
    float milliseconds = 0;
    LATHE_CHECK(
        check_call(api, api.event_elapsed_time(&milliseconds, start.get(), end.get()), "cuEventElapsedTime"));
    return static_cast<double>(milliseconds);
  }

  DeviceMemory& memory() override { return memory_; }

  Result<TensorMap> encode_tensor_map(const TensorMapSpec& spec) const override {
    return cuda::encode_tensor_map(session_->api(), spec);
  }

 private:
  // In this order: the session goes last.
  std::unique_ptr<const cuda::Session> session_;
  cuda::CudaMemory memory_;
  Device device_;
};

}  // namespace

Result<std::unique_ptr<Executor>> open_cuda_executor(const CudaOptions& options, const cuda::DriverApi& api) {
  LATHE_TRY(auto session, cuda::Session::open(api, options.device));
  return std::make_unique<CudaExecutor>(std::move(session));
}

Result<std::unique_ptr<Executor>> open_cuda_executor(const CudaOptions& options) {
  LATHE_TRY(const cuda::DriverApi api, cuda::load_driver());
  return open_cuda_executor(options, api);
}

}  // namespace lathe::runtime
