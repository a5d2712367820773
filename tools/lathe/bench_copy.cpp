#include "tools/lathe/bench_copy.h"

#include <algorithm>
#include <barrier>
#include <cstring>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/norm_workload.h"

namespace lathe::tools {

namespace {

constexpr int kRounds = 31;

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

Result<CopyTimes> alternate(Runtime& runtime, const std::function<Result<void>()>& launch,
                            const std::function<Result<void>()>& copy, const std::atomic<bool>& stop) {
  CopyTimes times;
  for (int round = -2; round < kRounds && !stop; ++round) {
    LATHE_TRY(const double copy_ms, runtime.time_ms(Stream{}, copy));
    LATHE_TRY(const double kernel_ms, runtime.time_ms(Stream{}, launch));
    if (round < 0) continue;  // page faults and clocks
    times.copy_ms.push_back(copy_ms);
    times.kernel_ms.push_back(kernel_ms);
  }
  return times;
}

}  // namespace

Result<CopyTimes> time_beside_copy(Runtime& runtime, const std::function<Result<void>()>& launch,
                                   std::size_t traffic_bytes, const std::atomic<bool>& stop) {
  const bool on_gpu = runtime.target().backend == Backend::cuda;
  constexpr std::size_t kGpuCopy = std::size_t{1} << 30;
  const std::size_t bytes =
      on_gpu ? std::max(kGpuCopy, 2 * runtime.device().last_level_cache_bytes) : traffic_bytes / 2;
  LATHE_TRY(const CopyBuffers buffers, make_buffers(runtime, bytes));
  CopyTimes times;
  if (on_gpu) {
    LATHE_TRY(
        times,
        alternate(
            runtime, launch,
            [&] { return runtime.copy_to_device(buffers.to.data(), buffers.from.data(), bytes, Stream{}); },
            stop));
  } else {
    ParallelCopy copy(static_cast<std::byte*>(buffers.to.data()),
                      static_cast<const std::byte*>(buffers.from.data()), bytes, runtime.device().processors);
    LATHE_TRY(times, alternate(
                         runtime, launch,
                         [&] {
                           copy.run();
                           return Result<void>{};
                         },
                         stop));
  }
  times.copy_bytes = 2 * bytes;
  return times;
}

void report_share(const Invocation& invocation, const Runtime& runtime, const std::string& name,
                  std::size_t traffic_bytes, const CopyTimes& times, double limit) {
  const double median_ms = median_of(times.kernel_ms);
  const double gb_per_s = static_cast<double>(traffic_bytes) / median_ms / 1e6;
  const double copy_gb_per_s = static_cast<double>(times.copy_bytes) / median_of(times.copy_ms) / 1e6;
  const Measurement share{.name = fmt::format("{}: share of the copy's {:.1f} GB/s", name, copy_gb_per_s),
                          .target = runtime.target().text(),
                          .value = gb_per_s / copy_gb_per_s,
                          .unit = "",
                          .limit = limit,
                          .higher_is_better = true};
  if (invocation.json()) {
    invocation.print_json({{"name", name},
                           {"target", share.target},
                           {"median_ms", median_ms},
                           {"bytes", traffic_bytes},
                           {"gb_per_s", gb_per_s},
                           {"share_of_copy", share.value},
                           {"copy_gb_per_s", copy_gb_per_s},
                           {"limit", limit},
                           {"ok", share.is_within()}});
    return;
  }
  report(invocation, {.name = fmt::format("{}: {:.1f} GB/s", name, gb_per_s),
                      .target = share.target,
                      .value = median_ms,
                      .unit = "ms"});
  report(invocation, share);
}

}  // namespace lathe::tools
