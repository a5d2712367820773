// linear_cross_entropy: losses, and losses with gradients, of the head of a language model.
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <lathe/buffer.h>

#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/bench_copy.h"
#include "tools/lathe/norm_workload.h"
#include "tools/lathe/random_tensors.h"

namespace lathe::tools {

namespace {

using Mode = LinearCrossEntropyMode;

constexpr int kWarmups = 1;
constexpr int kRounds = 7;

struct Case {
  Mode mode;
  Index tokens;
  std::int64_t hidden_size;
  std::int64_t vocab_size;
};

constexpr Case kCpuCases[] = {{Mode::forward_only, 512, 1024, 32000},
                              {Mode::gradient_in_forward, 512, 1024, 32000},
                              {Mode::recompute, 512, 1024, 32000}};
constexpr Case kGpuCases[] = {{Mode::forward_only, 4096, 4096, 128256},
                              {Mode::gradient_in_forward, 4096, 4096, 128256},
                              {Mode::recompute, 4096, 4096, 128256}};

/// Of the portable kernels.
constexpr double kTflopPerSLimit = 300;

std::string name_of(const Case& measured) {
  const char* const modes[] = {"forward_only", "gradient_in_forward", "recompute"};
  return fmt::format("linear_cross_entropy {} bf16 {}x{}x{}", modes[static_cast<int>(measured.mode)],
                     measured.tokens, measured.hidden_size, measured.vocab_size);
}

/// Of the products that there have to be.
double flop_of(const Case& measured) {
  const double product = 2.0 * static_cast<double>(measured.tokens) *
                         static_cast<double>(measured.hidden_size) * static_cast<double>(measured.vocab_size);
  return measured.mode == Mode::forward_only ? product : 3 * product;
}

/// A launch with all that it needs.
struct Workload {
  LinearCrossEntropyArgs args{};
  std::vector<Buffer> buffers;

  Result<void*> add(Runtime& runtime, const std::vector<std::byte>& elements) {
    LATHE_TRY(Buffer buffer, upload(runtime, elements));
    buffers.push_back(std::move(buffer));
    return buffers.back().data();
  }
  Result<void*> add(Runtime& runtime, std::size_t bytes) {
    LATHE_TRY(Buffer buffer, runtime.allocate(bytes));
    buffers.push_back(std::move(buffer));
    return buffers.back().data();
  }
};

std::vector<std::byte> random_targets(const Case& measured) {
  std::minstd_rand random(3);
  std::vector<std::int64_t> targets(static_cast<std::size_t>(measured.tokens));
  for (std::int64_t& target : targets) target = static_cast<std::int64_t>(random()) % measured.vocab_size;
  const auto bytes = std::as_bytes(std::span(targets));
  return {bytes.begin(), bytes.end()};
}

/// Of logits, as the peers' have it.
constexpr double kDeviation = 2;

/// What recompute reads in place of a forward's: that of as many normally distributed logits.
std::vector<std::byte> usual_lse(const Case& measured) {
  const auto lse =
      static_cast<float>(std::log(static_cast<double>(measured.vocab_size)) + kDeviation * kDeviation / 2);
  const std::vector<float> values(static_cast<std::size_t>(measured.tokens), lse);
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

Result<Workload> make_workload(Runtime& runtime, const KernelFor<LinearCrossEntropySpec>& kernel,
                               const Case& measured) {
  const auto rows = static_cast<std::size_t>(measured.tokens);
  const auto columns = static_cast<std::size_t>(measured.hidden_size);
  const auto classes = static_cast<std::size_t>(measured.vocab_size);
  Workload work;
  LinearCrossEntropyArgs& args = work.args;
  args.tokens = measured.tokens;
  LATHE_TRY(args.hidden, work.add(runtime, random_elements(bf16, rows * columns, 1)));
  LATHE_TRY(args.weight,
            work.add(runtime, random_elements(bf16, classes * columns, 2,
                                              kDeviation / std::sqrt(static_cast<double>(columns)))));
  LATHE_TRY(args.targets, work.add(runtime, random_targets(measured)));
  LATHE_TRY(void* const lse, work.add(runtime, usual_lse(measured)));
  LATHE_TRY(void* const loss, work.add(runtime, sizeof(float)));
  args.lse_in = static_cast<const float*>(lse);
  args.loss = static_cast<float*>(loss);
  if (measured.mode != Mode::forward_only) {
    LATHE_TRY(args.d_hidden, work.add(runtime, rows * columns * size_of(bf16)));
    LATHE_TRY(args.d_weight, work.add(runtime, classes * columns * size_of(f32)));
  }
  LATHE_TRY(const std::size_t workspace_bytes, kernel.workspace_bytes(args));
  LATHE_TRY(args.workspace, work.add(runtime, workspace_bytes));
  args.workspace_bytes = static_cast<Index>(workspace_bytes);
  return work;
}

void report_case(const Invocation& invocation, const Runtime& runtime, const Case& measured,
                 Index workspace_bytes, double ms) {
  const bool on_gpu = runtime.target().backend == Backend::cuda;
  const double gflop_per_s = flop_of(measured) / ms / 1e6;
  const std::string name = name_of(measured);
  if (invocation.json()) {
    invocation.print_json({{"name", name},
                           {"target", runtime.target().text()},
                           {"median_ms", ms},
                           {"gflop_per_s", gflop_per_s},
                           {"workspace_bytes", workspace_bytes}});
    return;
  }
  report(invocation, {.name = name, .target = runtime.target().text(), .value = ms, .unit = "ms"});
  Measurement rate{.name = "  products, TFLOP/s",
                   .target = runtime.target().text(),
                   .value = gflop_per_s / 1e3,
                   .unit = "",
                   .higher_is_better = true};
  if (on_gpu) rate.limit = kTflopPerSLimit;
  report(invocation, rate);
  report(invocation, {.name = "  workspace",
                      .target = runtime.target().text(),
                      .value = static_cast<double>(workspace_bytes) / (1 << 20),
                      .unit = "MiB"});
}

Result<std::vector<double>> times_of(Runtime& runtime, const KernelFor<LinearCrossEntropySpec>& kernel,
                                     const Workload& work, const std::atomic<bool>& stop) {
  const auto launch = [&] { return kernel.launch(work.args, Stream{}); };
  if (runtime.target().backend == Backend::cuda) {
    // The copy in between flushes the L2 cache.
    LATHE_TRY(const CopyTimes times, time_beside_copy(runtime, launch, std::size_t{1} << 20, stop));
    return times.kernel_ms;
  }
  std::vector<double> times;
  for (int round = -kWarmups; round < kRounds && !stop; ++round) {
    LATHE_TRY(const double ms, runtime.time_ms(Stream{}, launch));
    if (round >= 0) times.push_back(ms);
  }
  return times;
}

Result<void> bench_case(const Invocation& invocation, Runtime& runtime, const Case& measured,
                        const std::atomic<bool>& stop) {
  LATHE_TRY(
      const KernelFor<LinearCrossEntropySpec> kernel,
      runtime.get(LinearCrossEntropySpec{
          .hidden_size = measured.hidden_size, .vocab_size = measured.vocab_size, .mode = measured.mode}));
  LATHE_TRY(const Workload work, make_workload(runtime, kernel, measured));
  LATHE_TRY(const std::vector<double> times, times_of(runtime, kernel, work, stop));
  if (!times.empty()) report_case(invocation, runtime, measured, work.args.workspace_bytes, median_of(times));
  return {};
}

}  // namespace

Result<void> bench_linear_cross_entropy(const Invocation& invocation, const std::optional<Target>& target,
                                        const std::atomic<bool>& stop) {
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (!runtime.has_device()) {
    invocation.console().note("linear_cross_entropy is not measured: there is no device; see lathe doctor");
    return {};
  }
  const bool on_gpu = runtime.target().backend == Backend::cuda;
  for (const Case& measured : on_gpu ? std::span<const Case>(kGpuCases) : kCpuCases) {
    if (stop) break;
    LATHE_CHECK(bench_case(invocation, runtime, measured, stop));
  }
  return {};
}

}  // namespace lathe::tools
