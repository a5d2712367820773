// What attention's GPU kernels do to memory, per key: keys and values read once, in whole sectors, and no
// bank conflicts. Two launches that differ in their number of keys differ in what the main loop did.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/kernels/attention_tensors.h"
#include "tests/support/catch.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/launch_profile.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr AttentionPhase kPrefill = AttentionPhase::prefill;
constexpr AttentionPhase kDecode = AttentionPhase::decode;

AttentionSpec paged(AttentionPhase phase, std::int64_t head_dim, std::int64_t group) {
  return {.query_heads = 2 * group,
          .kv_heads = 2,
          .head_dim = head_dim,
          .phase = phase,
          .storage = KvStorage::paged,
          .page_size = 16};
}

AttentionSpec latent(AttentionPhase phase) {
  AttentionSpec spec = paged(phase, 576, 16);
  spec.query_heads = 16;
  spec.kv_heads = 1;
  spec.value_dim = 512;
  spec.rest_dim = 64;
  spec.values_are_keys = true;
  return spec;
}

Result<void> launch(Runtime& runtime, const AttentionCase& test) {
  auto kernel = runtime.get(test.spec);
  if (!kernel) return kernel.error();
  const AttentionTensors tensors(runtime, test);
  const AttentionPlan plan = AttentionPlan::make(*kernel, tensors.batch(), test.plan).value();
  GuardedBuffer bytes(runtime, plan.bytes().size());
  bytes.upload(plan.bytes().data());
  GuardedBuffer workspace(runtime, plan.workspace_bytes());
  AttentionArgs args = tensors.args();
  plan.apply(args, bytes.data());
  args.workspace = workspace.data();
  args.workspace_bytes = static_cast<Index>(plan.workspace_bytes());
  if (auto queued = kernel->launch(args, {}); !queued) return queued;
  return runtime.synchronize({});
}

/// Of the fewest keys, and what more of them add to it.
struct Growth {
  LaunchProfile few;
  std::uint64_t read_bytes, distinct_bytes, sectors, ideal_sectors, wavefronts, ideal_wavefronts;
};

/// Keys are whole tiles, more than a ring holds.
constexpr std::int64_t kFewKeys = 384;
constexpr std::int64_t kMoreKeys = 256;

std::optional<Growth> growth_of(const std::string& arch, const AttentionSpec& spec, std::int64_t queries,
                                const AttentionPlanOptions& options = {.may_split = false}) {
  const auto profiles = profiles_of(arch, [&](Runtime& runtime) -> Result<void> {
    for (const std::int64_t keys : {kFewKeys, kFewKeys + kMoreKeys}) {
      const AttentionCase test{.spec = spec, .requests = {{queries, keys}}, .plan = options};
      if (auto done = launch(runtime, test); !done) return done;
    }
    return {};
  });
  if (!profiles) return std::nullopt;
  std::vector<LaunchProfile> attended;
  for (const LaunchProfile& profile : *profiles) {
    if (profile.kernel == "lathe_attention") attended.push_back(profile);
  }
  REQUIRE(attended.size() == 2);
  const LaunchProfile& few = attended[0];
  const LaunchProfile& many = attended[1];
  return Growth{few,
                many.global.read_bytes - few.global.read_bytes,
                many.global.distinct_read_bytes - few.global.distinct_read_bytes,
                many.global.sectors - few.global.sectors,
                many.global.ideal_sectors - few.global.ideal_sectors,
                many.shared.wavefronts - few.shared.wavefronts,
                many.shared.ideal_wavefronts - few.shared.ideal_wavefronts};
}

std::uint64_t bytes_per_key(const AttentionSpec& spec) {
  const std::int64_t value_dim = spec.value_dim == 0 ? spec.head_dim : spec.value_dim;
  const std::int64_t elements = spec.head_dim + (spec.values_are_keys ? 0 : value_dim);
  return static_cast<std::uint64_t>(elements * spec.kv_heads) * size_of(spec.kv_dtype.value_or(spec.dtype));
}

/// `tiles`: of query rows, each of which reads all keys.
void check_growth(const std::string& arch, const AttentionSpec& spec, std::int64_t queries,
                  std::uint64_t tiles) {
  const auto growth = growth_of(arch, spec, queries);
  if (!growth) return;
  const std::uint64_t keys = kMoreKeys * bytes_per_key(spec);
  // And once per tile and head the pages, of which each key's thread reads the number.
  const std::uint64_t pages = spec.storage == KvStorage::paged
                                  ? tiles * static_cast<std::uint64_t>(kMoreKeys * spec.kv_heads) * 4
                                  : 0;
  INFO(arch << ", " << (spec.phase == kDecode ? "decode" : "prefill") << ", " << spec.head_dim << ", "
            << spec.query_heads / spec.kv_heads << " heads per key: " << growth->read_bytes << " bytes read, "
            << growth->distinct_bytes << " of them different, of " << keys << " per tile; " << growth->sectors
            << " sectors of " << growth->ideal_sectors << ", " << growth->wavefronts << " wavefronts of "
            << growth->ideal_wavefronts);
  CHECK(growth->read_bytes == tiles * keys + pages);
  CHECK(growth->distinct_bytes >= keys);
  CHECK(growth->distinct_bytes <= keys + pages);
  // A page's number is shared by the threads of its keys.
  CHECK(growth->sectors <= growth->ideal_sectors + (pages == 0 ? 0 : pages / 4 / 16));
  CHECK(growth->wavefronts == growth->ideal_wavefronts);
  // The queries and the results, once and in whole sectors.
  const auto& whole = growth->few.global;
  CHECK(100 * whole.sectors <= 105 * whole.ideal_sectors);
  CHECK(whole.written_bytes == whole.distinct_written_bytes);
}

}  // namespace

TEST_CASE(
    "attention: a tile of queries reads each key and value once, whole sectors, without bank conflicts") {
  for (const std::int64_t head_dim : {64, 80, 128, 256})
    check_growth("sm_90a", paged(kPrefill, head_dim, 2), 32, 1);
  check_growth("sm_80", paged(kPrefill, 128, 4), 64, 2);
  AttentionSpec ragged = paged(kPrefill, 128, 4);
  ragged.storage = KvStorage::ragged;
  ragged.page_size = 0;
  check_growth("sm_90a", ragged, 80, 3);
  AttentionSpec fp8 = paged(kPrefill, 128, 4);
  fp8.kv_dtype = e4m3;
  check_growth("sm_90a", fp8, 32, 1);
  check_growth("sm_90a", latent(kPrefill), 4, 1);
}

TEST_CASE("attention: decoding reads each key and value once for up to 16 heads that share them") {
  for (const std::int64_t group : {1, 5, 16}) check_growth("sm_80", paged(kDecode, 128, group), 1, 1);
  check_growth("sm_90a", paged(kDecode, 128, 20), 1, 1);  // two fragments of rows
  for (const std::int64_t head_dim : {64, 256}) check_growth("sm_90a", paged(kDecode, head_dim, 8), 1, 1);
  AttentionSpec fp8 = paged(kDecode, 128, 8);
  fp8.kv_dtype = e5m2;
  check_growth("sm_90a", fp8, 1, 1);
  check_growth("sm_90a", latent(kDecode), 1, 1);
}

TEST_CASE("attention: splits share out the keys, and read none twice") {
  const AttentionSpec spec = paged(kDecode, 128, 4);
  const auto whole = growth_of("sm_80", spec, 1);
  const auto split = growth_of("sm_80", spec, 1, {.fixed_split = 128});
  if (!whole || !split) return;
  // What a block reads besides keys and values: its place in the plan, and its queries.
  const std::uint64_t besides = whole->few.global.read_bytes - kFewKeys * bytes_per_key(spec);
  CHECK(split->few.global.read_bytes <= kFewKeys * bytes_per_key(spec) + 3 * besides);
}
