// rope beside a copy of the same bytes.
#include <cstdint>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/bench_copy.h"
#include "tools/lathe/random_tensors.h"

namespace lathe::tools {

namespace {

constexpr double kShareLimit = 0.8;
constexpr Index kTokens = 8192;

struct Case {
  std::string name;
  RopeSpec spec;
  bool in_place = false;
};

Result<Buffer> random_tensor(Runtime& runtime, std::size_t count) {
  return upload(runtime, random_elements(bf16, count, 1));
}

Result<void> bench_case(const Invocation& invocation, Runtime& runtime, const Case& measured,
                        const std::atomic<bool>& stop) {
  const RopeSpec& spec = measured.spec;
  LATHE_TRY(const auto kernel, runtime.get(spec));
  const auto q_count = static_cast<std::size_t>(kTokens * spec.heads * spec.head_dim);
  const auto k_count = static_cast<std::size_t>(kTokens * spec.kv_heads * spec.head_dim);
  LATHE_TRY(const Buffer q, random_tensor(runtime, q_count));
  LATHE_TRY(const Buffer k, random_tensor(runtime, k_count));
  LATHE_TRY(const Buffer weight, random_tensor(runtime, static_cast<std::size_t>(spec.head_dim)));
  Buffer q_out = q;
  Buffer k_out = k;
  if (!measured.in_place) {
    LATHE_TRY(q_out, random_tensor(runtime, q_count));
    LATHE_TRY(k_out, random_tensor(runtime, k_count));
  }
  std::vector<std::int64_t> ids(static_cast<std::size_t>(kTokens));
  std::iota(ids.begin(), ids.end(), 0);
  LATHE_TRY(const Buffer positions, runtime.allocate(ids.size() * sizeof ids[0]));
  LATHE_CHECK(runtime.copy_to_device(positions.data(), ids.data(), positions.size(), Stream{}));
  const RopeArgs args{.q = q.data(),
                      .k = k.data(),
                      .q_out = q_out.data(),
                      .k_out = k_out.data(),
                      .q_norm_weight = weight.data(),
                      .k_norm_weight = weight.data(),
                      .positions = positions.data(),
                      .tokens = kTokens};
  const std::size_t traffic = 2 * 2 * (q_count + k_count) + positions.size();
  LATHE_TRY(const CopyTimes times,
            time_beside_copy(runtime, [&] { return kernel.launch(args, Stream{}); }, traffic, stop));
  if (times.kernel_ms.empty()) return {};
  report_share(invocation, runtime,
               fmt::format("rope bf16 {} tokens, {}/{} heads x {}, {}", kTokens, spec.heads, spec.kv_heads,
                           spec.head_dim, measured.name),
               traffic, times, kShareLimit);
  return {};
}

}  // namespace

Result<void> bench_rope(const Invocation& invocation, const std::optional<Target>& target,
                        const std::atomic<bool>& stop) {
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (!runtime.has_device()) {
    invocation.console().note("rope is not measured: there is no device; see lathe doctor");
    return {};
  }
  const RopeSpec plain{.heads = 32, .kv_heads = 8, .head_dim = 128};
  RopeSpec interleaved = plain;
  interleaved.pairs = RopePairs::interleaved;
  RopeSpec normed = plain;
  normed.qk_norm = true;
  for (const Case& measured : {Case{"half", plain}, Case{"half, in place", plain, true},
                               Case{"interleaved", interleaved}, Case{"half, with norm", normed}}) {
    if (stop) break;
    LATHE_CHECK(bench_case(invocation, runtime, measured, stop));
  }
  return {};
}

}  // namespace lathe::tools
