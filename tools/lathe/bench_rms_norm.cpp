// rms_norm beside a copy of the same bytes, alternating, so that both see the same machine.
#include <barrier>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "codegen/op.h"
#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/norm_workload.h"

namespace lathe::tools {

namespace {

constexpr int kRounds = 31;
constexpr double kShareLimit = 0.8;

/// What is measured. Llama's casting rounds twice, which costs the CPU something.
struct Case {
  std::int64_t rows;
  std::int64_t hidden_size;
  Casting casting = Casting::gemma;
};

/// memcpy on all threads at once. The threads wait between two copies, so that starting them is not timed.
class ParallelCopy {
 public:
  ParallelCopy(std::byte* to, const std::byte* from, std::size_t bytes, int threads)
      : start_(threads + 1), done_(threads + 1) {
    const std::size_t share = bytes / static_cast<std::size_t>(threads);
    for (int i = 0; i < threads; ++i) {
      const std::size_t begin = share * static_cast<std::size_t>(i);
      const std::size_t size = i + 1 == threads ? bytes - begin : share;
      threads_.emplace_back([this, to, from, begin, size] {
        for (start_.arrive_and_wait(); !is_over_; start_.arrive_and_wait()) {
          std::memcpy(to + begin, from + begin, size);
          done_.arrive_and_wait();
        }
      });
    }
  }

  ~ParallelCopy() {
    is_over_ = true;
    start_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
  }

  void run() {
    start_.arrive_and_wait();
    done_.arrive_and_wait();
  }

 private:
  std::barrier<> start_;
  std::barrier<> done_;
  std::atomic<bool> is_over_{false};
  std::vector<std::thread> threads_;
};

/// Device memory for the copy: two halves.
struct CopyBuffers {
  Buffer from;
  Buffer to;
};

Result<CopyBuffers> make_buffers(Runtime& runtime, std::size_t bytes) {
  CopyBuffers buffers;
  LATHE_TRY(buffers.from, runtime.allocate(bytes));
  LATHE_TRY(buffers.to, runtime.allocate(bytes));
  // Pages that were never written are all the same one.
  const std::vector<std::byte> content(bytes, std::byte{1});
  LATHE_CHECK(runtime.copy_to_device(buffers.from.data(), content.data(), bytes, Stream{}));
  LATHE_CHECK(runtime.copy_to_device(buffers.to.data(), content.data(), bytes, Stream{}));
  return buffers;
}

struct Times {
  std::vector<double> norm_ms;
  std::vector<double> copy_ms;
  std::size_t copy_bytes = 0;  // read and written by one copy
};

Result<Times> alternate(Runtime& runtime, const std::function<Result<void>()>& norm,
                        const std::function<Result<void>()>& copy, const std::atomic<bool>& stop) {
  Times times;
  for (int round = -2; round < kRounds && !stop; ++round) {
    LATHE_TRY(const double copy_ms, runtime.time_ms(Stream{}, copy));
    LATHE_TRY(const double norm_ms, runtime.time_ms(Stream{}, norm));
    if (round < 0) continue;  // page faults and clocks
    times.copy_ms.push_back(copy_ms);
    times.norm_ms.push_back(norm_ms);
  }
  return times;
}

/// On the CPU both touch as many bytes. On a GPU the copy is large, since it is timed with the call around
/// it, and flushes the L2 cache between two launches besides.
Result<Times> time_both(Runtime& runtime, const Kernel& kernel, const NormWorkload& work,
                        const std::atomic<bool>& stop) {
  const bool on_gpu = runtime.target().backend == Backend::cuda;
  constexpr std::size_t kGpuCopy = std::size_t{1} << 30;
  const std::size_t bytes =
      on_gpu ? std::max(kGpuCopy, 2 * runtime.device().last_level_cache_bytes) : work.traffic_bytes() / 2;
  LATHE_TRY(const CopyBuffers buffers, make_buffers(runtime, bytes));
  const auto norm = [&] { return work.launch(kernel); };
  if (on_gpu) {
    LATHE_TRY(
        Times times,
        alternate(
            runtime, norm,
            [&] { return runtime.copy_to_device(buffers.to.data(), buffers.from.data(), bytes, Stream{}); },
            stop));
    times.copy_bytes = 2 * bytes;
    return times;
  }
  ParallelCopy copy(static_cast<std::byte*>(buffers.to.data()),
                    static_cast<const std::byte*>(buffers.from.data()), bytes, runtime.device().processors);
  LATHE_TRY(Times times, alternate(
                             runtime, norm,
                             [&] {
                               copy.run();
                               return Result<void>{};
                             },
                             stop));
  times.copy_bytes = 2 * bytes;
  return times;
}

Result<void> bench_case(const Invocation& invocation, Runtime& runtime, const Case& measured,
                        const std::atomic<bool>& stop) {
  const RmsNormSpec plain{.hidden_size = measured.hidden_size, .dtype = bf16, .casting = measured.casting};
  LATHE_TRY(const KernelSpec spec, codegen::op_of(KernelSpec(plain)).normalize(plain));
  LATHE_TRY(const Kernel kernel, runtime.get_kernel(spec));
  LATHE_TRY(const NormWorkload work,
            NormWorkload::make(runtime, std::get<RmsNormSpec>(spec), measured.rows, 1e-5));
  LATHE_TRY(const Times times, time_both(runtime, kernel, work, stop));
  if (times.norm_ms.empty()) return {};
  const double median_ms = median_of(times.norm_ms);
  const double gb_per_s = static_cast<double>(work.traffic_bytes()) / median_ms / 1e6;
  const double copy_gb_per_s = static_cast<double>(times.copy_bytes) / median_of(times.copy_ms) / 1e6;
  const std::string name = fmt::format("rms_norm bf16 {}x{}{}", measured.rows, measured.hidden_size,
                                       measured.casting == Casting::llama ? " casting=llama" : "");
  const Measurement share{.name = fmt::format("{}: share of the copy's {:.1f} GB/s", name, copy_gb_per_s),
                          .target = runtime.target().text(),
                          .value = gb_per_s / copy_gb_per_s,
                          .unit = "",
                          .limit = kShareLimit,
                          .higher_is_better = true};
  if (invocation.json()) {
    invocation.print_json({{"name", name},
                           {"target", share.target},
                           {"median_ms", median_ms},
                           {"bytes", work.traffic_bytes()},
                           {"gb_per_s", gb_per_s},
                           {"share_of_copy", share.value},
                           {"copy_gb_per_s", copy_gb_per_s},
                           {"limit", kShareLimit},
                           {"ok", share.is_within()}});
    return {};
  }
  report(invocation, {.name = fmt::format("{}: {:.1f} GB/s", name, gb_per_s),
                      .target = share.target,
                      .value = median_ms,
                      .unit = "ms"});
  report(invocation, share);
  return {};
}

}  // namespace

Result<void> bench_rms_norm(const Invocation& invocation, const std::optional<Target>& target,
                            const std::atomic<bool>& stop) {
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (!runtime.has_device()) {
    invocation.console().note("rms_norm is not measured: there is no device; see lathe doctor");
    return {};
  }
  std::vector<Case> cases{{8192, 4096}, {8192, 4096, Casting::llama}};
  if (runtime.target().backend == Backend::cuda) cases.push_back({32768, 8192});
  for (const Case& measured : cases) {
    if (stop) break;
    LATHE_CHECK(bench_case(invocation, runtime, measured, stop));
  }
  return {};
}

}  // namespace lathe::tools
