// attention at the sizes that servers have: a long prompt, and a batch of requests that decode.
#include <chrono>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <lathe/attention_plan.h>
#include <lathe/buffer.h>

#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/bench_copy.h"
#include "tools/lathe/norm_workload.h"

namespace lathe::tools {

namespace {

constexpr int kWarmups = 2;
constexpr int kRounds = 9;

/// 32 query heads and 8 key-value heads of 128 bf16 elements.
struct Case {
  std::string_view name;
  AttentionPhase phase;
  std::int64_t requests;
  std::int64_t queries;  ///< per request
  std::int64_t keys;
  AttentionMask mask = AttentionMask::causal;
};

constexpr Case kCpuCases[] = {{"prefill 1x2048", AttentionPhase::prefill, 1, 2048, 2048},
                              {"decode 16x4096, pages of 16", AttentionPhase::decode, 16, 1, 4096}};
/// Enough of each to fill a GPU.
constexpr Case kGpuCases[] = {
    {"prefill 4x4096", AttentionPhase::prefill, 4, 4096, 4096},
    {"prefill 4x4096, full", AttentionPhase::prefill, 4, 4096, 4096, AttentionMask::none},
    {"decode 32x4096, pages of 16", AttentionPhase::decode, 32, 1, 4096}};

/// Of a copy's bandwidth, for decoding.
constexpr double kShareLimit = 0.85;
/// For prefill without a mask on GPUs of sm_90 and up.
constexpr double kTflopPerSLimit = 300;

AttentionSpec spec_of(const Case& measured) {
  AttentionSpec spec{
      .query_heads = 32, .kv_heads = 8, .head_dim = 128, .phase = measured.phase, .mask = measured.mask};
  if (measured.phase == AttentionPhase::decode) {
    spec.storage = KvStorage::paged;
    spec.page_size = 16;
  }
  return spec;
}

/// Device memory with bf16 numbers between -1 and 1.
Result<Buffer> random_tensor(Runtime& runtime, std::int64_t elements, std::uint32_t seed) {
  std::minstd_rand random(seed);
  std::vector<std::uint16_t> values(static_cast<std::size_t>(elements));
  // Sign and fraction at random, the exponent of numbers from 0.5 to 1.
  for (std::uint16_t& value : values) value = static_cast<std::uint16_t>((random() & 0x807F) | 0x3F00);
  LATHE_TRY(Buffer buffer, runtime.allocate(values.size() * 2));
  LATHE_CHECK(runtime.copy_to_device(buffer.data(), values.data(), values.size() * 2, Stream{}));
  return buffer;
}

/// A launch with all that it needs.
struct Workload {
  AttentionArgs args{};
  Buffer q, k, v, o, pages, plan, workspace;
};

Result<void> add_pages(Runtime& runtime, const Case& measured, std::int64_t page_size, Workload& work) {
  std::vector<std::int32_t> pages(static_cast<std::size_t>(measured.requests * measured.keys / page_size));
  // Neighbours in a request lie apart, as they do in a server that has run for a while.
  for (std::size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<std::int32_t>(i * 769 % pages.size());
  LATHE_TRY(work.pages, runtime.allocate(pages.size() * 4));
  LATHE_CHECK(runtime.copy_to_device(work.pages.data(), pages.data(), pages.size() * 4, Stream{}));
  work.args.page_indices = work.pages.data();
  return {};
}

Result<void> add_plan(Runtime& runtime, const KernelFor<AttentionSpec>& kernel, const Case& measured,
                      Workload& work) {
  const auto& spec = std::get<AttentionSpec>(kernel.spec());
  const std::int64_t per_request = spec.page_size > 0 ? measured.keys / spec.page_size : measured.keys;
  std::vector<std::int64_t> queries, keys, begins;
  for (std::int64_t i = 0; i <= measured.requests; ++i) {
    queries.push_back(i * measured.queries);
    begins.push_back(i * per_request);
    if (i < measured.requests) keys.push_back(measured.keys);
  }
  LATHE_TRY(const AttentionPlan plan,
            AttentionPlan::make(kernel, {.query_indptr = queries, .kv_lengths = keys, .kv_indptr = begins}));
  LATHE_TRY(work.plan, runtime.allocate(plan.bytes().size()));
  LATHE_CHECK(runtime.copy_to_device(work.plan.data(), plan.bytes().data(), plan.bytes().size(), Stream{}));
  plan.apply(work.args, work.plan.data());
  LATHE_TRY(work.workspace, runtime.allocate(plan.workspace_bytes()));
  work.args.workspace = work.workspace.data();
  work.args.workspace_bytes = static_cast<Index>(plan.workspace_bytes());
  return {};
}

Result<Workload> make_workload(Runtime& runtime, const KernelFor<AttentionSpec>& kernel,
                               const Case& measured) {
  const auto& spec = std::get<AttentionSpec>(kernel.spec());
  const std::int64_t rows = measured.requests * measured.queries * spec.query_heads * spec.head_dim;
  const std::int64_t keys = measured.requests * measured.keys * spec.kv_heads * spec.head_dim;
  Workload work;
  LATHE_TRY(work.q, random_tensor(runtime, rows, 1));
  LATHE_TRY(work.k, random_tensor(runtime, keys, 2));
  LATHE_TRY(work.v, random_tensor(runtime, keys, 3));
  LATHE_TRY(work.o, random_tensor(runtime, rows, 4));
  work.args.q = work.q.data();
  work.args.k = work.k.data();
  work.args.v = work.v.data();
  work.args.o = work.o.data();
  if (spec.page_size > 0) LATHE_CHECK(add_pages(runtime, measured, spec.page_size, work));
  LATHE_CHECK(add_plan(runtime, kernel, measured, work));
  return work;
}

/// Of the two products, as far as the mask lets them be seen.
double flops_of(const Case& measured) {
  const auto queries = static_cast<double>(measured.queries);
  const double unseen = measured.mask == AttentionMask::causal ? (queries - 1) / 2 : 0;
  const double seen = queries * (static_cast<double>(measured.keys) - unseen);
  return static_cast<double>(measured.requests) * 32 * seen * 128 * 4;
}

std::string name_of(const Case& measured) {
  return fmt::format("attention bf16 32/8 heads x 128, {}", measured.name);
}

void report_products(const Invocation& invocation, const Runtime& runtime, const Case& measured, double ms) {
  const double tflop_per_s = flops_of(measured) / ms / 1e9;
  const std::string name = name_of(measured);
  Measurement rate{.name = fmt::format("{}: products, TFLOP/s", name),
                   .target = runtime.target().text(),
                   .value = tflop_per_s,
                   .unit = "",
                   .higher_is_better = true};
  if (measured.mask == AttentionMask::none && rate.target.starts_with("cuda:sm_90"))
    rate.limit = kTflopPerSLimit;
  if (invocation.json()) {
    invocation.print_json(
        {{"name", name}, {"target", rate.target}, {"median_ms", ms}, {"gflop_per_s", tflop_per_s * 1e3}});
    return;
  }
  report(invocation, {.name = name, .target = rate.target, .value = ms, .unit = "ms"});
  report(invocation, rate);
}

/// Between two launches a copy flushes the L2 cache; prefill is judged by its products, decoding by the keys
/// and values that it reads.
Result<void> bench_gpu_case(const Invocation& invocation, Runtime& runtime, const Case& measured,
                            const std::atomic<bool>& stop) {
  LATHE_TRY(const KernelFor<AttentionSpec> kernel, runtime.get(spec_of(measured)));
  LATHE_TRY(const Workload work, make_workload(runtime, kernel, measured));
  const std::size_t traffic =
      work.k.size() + work.v.size() + work.q.size() + work.o.size() + work.pages.size();
  LATHE_TRY(const CopyTimes times,
            time_beside_copy(runtime, [&] { return kernel.launch(work.args, Stream{}); }, traffic, stop));
  if (times.kernel_ms.empty()) return {};
  if (measured.phase == AttentionPhase::prefill) {
    report_products(invocation, runtime, measured, median_of(times.kernel_ms));
  } else {
    report_share(invocation, runtime, name_of(measured), traffic, times, kShareLimit);
  }
  return {};
}

/// What the host does per batch: 1024 requests that decode.
Result<void> bench_plan(const Invocation& invocation, Runtime& runtime) {
  constexpr std::int64_t kRequests = 1024;
  constexpr int kPlans = 101;
  LATHE_TRY(const KernelFor<AttentionSpec> kernel, runtime.get(spec_of(kCpuCases[1])));
  std::minstd_rand random(1);
  std::vector<std::int64_t> queries{0}, keys, begins;
  for (std::int64_t i = 0; i < kRequests; ++i) {
    queries.push_back(i + 1);
    keys.push_back(1 + static_cast<std::int64_t>(random() % 8192));
    begins.push_back(i * 512);
  }
  std::vector<double> times;
  for (int i = 0; i < kPlans; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    LATHE_TRY(
        const AttentionPlan plan,
        AttentionPlan::make(kernel, {.query_indptr = queries, .kv_lengths = keys, .kv_indptr = begins}));
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  report(invocation, {.name = "attention: plan of 1024 requests that decode",
                      .target = runtime.target().text(),
                      .value = median_of(times),
                      .unit = "us",
                      .limit = 200});
  return {};
}

Result<void> bench_cpu_case(const Invocation& invocation, Runtime& runtime, const Case& measured,
                            const std::atomic<bool>& stop) {
  LATHE_TRY(const KernelFor<AttentionSpec> kernel, runtime.get(spec_of(measured)));
  LATHE_TRY(const Workload work, make_workload(runtime, kernel, measured));
  std::vector<double> times;
  for (int round = -kWarmups; round < kRounds && !stop; ++round) {
    LATHE_TRY(const double ms, runtime.time_ms(Stream{}, [&] { return kernel.launch(work.args, Stream{}); }));
    if (round >= 0) times.push_back(ms);
  }
  if (times.empty()) return {};
  const double ms = median_of(times);
  const double key_bytes = static_cast<double>(measured.requests * measured.keys) * 8 * 128 * 4;
  const double gflop_per_s = flops_of(measured) / ms / 1e6;
  const double gb_per_s = key_bytes / ms / 1e6;
  const std::string name = name_of(measured);
  if (invocation.json()) {
    invocation.print_json({{"name", name},
                           {"target", runtime.target().text()},
                           {"median_ms", ms},
                           {"gflop_per_s", gflop_per_s},
                           {"kv_gb_per_s", gb_per_s}});
    return {};
  }
  const std::string rate = measured.phase == AttentionPhase::prefill
                               ? fmt::format("{:.0f} GFLOP/s", gflop_per_s)
                               : fmt::format("{:.1f} GB/s of k and v", gb_per_s);
  report(invocation, {.name = fmt::format("{}: {}", name, rate),
                      .target = runtime.target().text(),
                      .value = ms,
                      .unit = "ms"});
  return {};
}

}  // namespace

Result<void> bench_attention(const Invocation& invocation, const std::optional<Target>& target,
                             const std::atomic<bool>& stop) {
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (!runtime.has_device()) {
    invocation.console().note("attention is not measured: there is no device; see lathe doctor");
    return {};
  }
  LATHE_CHECK(bench_plan(invocation, runtime));
  const bool on_gpu = runtime.target().backend == Backend::cuda;
  for (const Case& measured : on_gpu ? std::span<const Case>(kGpuCases) : kCpuCases) {
    if (stop) break;
    LATHE_CHECK(on_gpu ? bench_gpu_case(invocation, runtime, measured, stop)
                       : bench_cpu_case(invocation, runtime, measured, stop));
  }
  return {};
}

}  // namespace lathe::tools
