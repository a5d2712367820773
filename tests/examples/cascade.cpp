// Cascade attention: requests that share a prefix attend to it together, once, and to their own keys apart;
// the two results are merged. The answer is that of plain attention over prefix and own keys, which is
// computed too and compared.
#include <lathe/lathe.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <span>
#include <vector>

namespace {

constexpr std::int64_t kQueryHeads = 8, kKvHeads = 2, kDim = 64, kPageSize = 16;
constexpr std::int64_t kRequests = 3, kPrefixPages = 8, kPrefix = kPrefixPages * kPageSize;
constexpr std::int64_t kOwn[kRequests] = {5, 33, 16};

/// bf16 numbers; the exponent and a few bits are enough for an example.
std::uint16_t to_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
float from_bf16(std::uint16_t half) {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Host data and its copy on the device.
template <class T>
lathe::Buffer upload(lathe::Runtime& runtime, std::span<const T> data) {
  lathe::Buffer buffer = runtime.allocate(data.size_bytes()).value();
  runtime.copy_to_device(buffer.data(), data.data(), data.size_bytes(), {}).value();
  return buffer;
}

/// Plans and launches attention of one batch over the page pool.
void attend(lathe::Runtime& runtime, const lathe::KernelFor<lathe::AttentionSpec>& kernel,
            const lathe::AttentionBatch& batch, lathe::AttentionArgs args) {
  const auto plan = lathe::AttentionPlan::make(kernel, batch).value();
  const lathe::Buffer bytes = upload(runtime, plan.bytes());
  const lathe::Buffer workspace = runtime.allocate(plan.workspace_bytes()).value();
  plan.apply(args, bytes.data());
  args.workspace = workspace.data();
  args.workspace_bytes = static_cast<lathe::Index>(plan.workspace_bytes());
  kernel.launch(args, {}).value();
  runtime.synchronize({}).value();
}

int run(lathe::Runtime& runtime) {
  // Decoding: one query a request. The pages of the prefix come first, then each request's own.
  std::vector<std::int32_t> prefix_pages, own_pages, all_pages;
  std::vector<std::int64_t> own_lengths, all_lengths, own_begins{0}, all_begins{0};
  std::int32_t next = 0;
  for (int i = 0; i < kPrefixPages; ++i) prefix_pages.push_back(next++);
  for (const std::int64_t own : kOwn) {
    all_pages.insert(all_pages.end(), prefix_pages.begin(), prefix_pages.end());
    for (std::int64_t i = 0; i < (own + kPageSize - 1) / kPageSize; ++i) {
      own_pages.push_back(next);
      all_pages.push_back(next++);
    }
    own_lengths.push_back(own);
    all_lengths.push_back(kPrefix + own);
    own_begins.push_back(static_cast<std::int64_t>(own_pages.size()));
    all_begins.push_back(static_cast<std::int64_t>(all_pages.size()));
  }

  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto numbers = [&](std::int64_t count) {
    std::vector<std::uint16_t> made(static_cast<std::size_t>(count));
    for (auto& number : made) number = to_bf16(normal(random));
    return made;
  };
  const std::int64_t pool = next * kPageSize * kKvHeads * kDim;
  const std::int64_t rows = kRequests * kQueryHeads;
  const lathe::Buffer q = upload<std::uint16_t>(runtime, numbers(rows * kDim));
  const lathe::Buffer k = upload<std::uint16_t>(runtime, numbers(pool));
  const lathe::Buffer v = upload<std::uint16_t>(runtime, numbers(pool));
  const lathe::Buffer prefix_list = upload<std::int32_t>(runtime, prefix_pages);
  const lathe::Buffer own_list = upload<std::int32_t>(runtime, own_pages);
  const lathe::Buffer all_list = upload<std::int32_t>(runtime, all_pages);
  const std::size_t o_bytes = static_cast<std::size_t>(rows * kDim) * 2;
  const std::size_t lse_bytes = static_cast<std::size_t>(rows) * 4;
  const lathe::Buffer o = runtime.allocate(o_bytes).value(), lse = runtime.allocate(lse_bytes).value();
  const lathe::Buffer o_own = runtime.allocate(o_bytes).value(),
                      lse_own = runtime.allocate(lse_bytes).value();
  const lathe::Buffer o_plain = runtime.allocate(o_bytes).value();
  const lathe::Buffer lse_plain = runtime.allocate(lse_bytes).value();

  lathe::AttentionSpec spec{.query_heads = kQueryHeads, .kv_heads = kKvHeads, .head_dim = kDim};
  spec.storage = lathe::KvStorage::paged;
  spec.page_size = kPageSize;
  spec.store_lse = true;
  // All requests' queries against the prefix are a small prefill: its keys are read once for all of them.
  spec.phase = lathe::AttentionPhase::prefill;
  const auto together = runtime.get(spec).value();
  spec.phase = lathe::AttentionPhase::decode;
  const auto apart = runtime.get(spec).value();
  const auto merge = runtime.get(lathe::AttentionMergeSpec{.heads = kQueryHeads, .value_dim = kDim}).value();

  const auto args = [&](const lathe::Buffer& pages, const lathe::Buffer& to, const lathe::Buffer& to_lse) {
    lathe::AttentionArgs made;
    made.q = q.data();
    made.k = k.data();
    made.v = v.data();
    made.page_indices = pages.data();
    made.o = to.data();
    made.lse = static_cast<float*>(to_lse.data());
    return made;
  };
  const std::vector<std::int64_t> one{0, kRequests}, each{0, 1, 2, 3};
  const std::vector<std::int64_t> prefix_length{kPrefix}, prefix_begin{0, kPrefixPages};
  attend(runtime, together, {.query_indptr = one, .kv_lengths = prefix_length, .kv_indptr = prefix_begin},
         args(prefix_list, o, lse));
  attend(runtime, apart, {.query_indptr = each, .kv_lengths = own_lengths, .kv_indptr = own_begins},
         args(own_list, o_own, lse_own));
  merge
      .launch({.o_parts = o.data(),
               .lse_parts = static_cast<const float*>(lse.data()),
               .o_other = o_own.data(),
               .lse_other = static_cast<const float*>(lse_own.data()),
               .o = o.data(),
               .lse = static_cast<float*>(lse.data()),
               .tokens = kRequests},
              {})
      .value();
  attend(runtime, apart, {.query_indptr = each, .kv_lengths = all_lengths, .kv_indptr = all_begins},
         args(all_list, o_plain, lse_plain));

  std::vector<std::uint16_t> merged(o_bytes / 2), plain(o_bytes / 2);
  runtime.copy_to_host(merged.data(), o.data(), o_bytes, {}).value();
  runtime.copy_to_host(plain.data(), o_plain.data(), o_bytes, {}).value();
  float largest = 0;
  for (std::size_t i = 0; i < merged.size(); ++i)
    largest = std::fmax(largest, std::fabs(from_bf16(merged[i]) - from_bf16(plain[i])));
  std::printf("on %s: cascade and plain attention differ by %g at most\n", runtime.target().text().c_str(),
              static_cast<double>(largest));
  // A few roundings to bf16 of results below 1.
  return largest < 0.02f ? 0 : 1;
}

}  // namespace

int main() {
  try {
    auto runtime = lathe::Runtime::open({}).value();
    if (!runtime.has_device()) {
      std::puts("skipped: no device, and no CPU executor in this build");
      return 77;
    }
    return run(runtime);
  } catch (const lathe::BadResult& failure) {
    std::puts(failure.what());
    return 1;
  }
}
