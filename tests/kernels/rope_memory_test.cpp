// What memory rope touches: nothing beyond its rows, not even to read, and rows farther apart than 32 bits
// count; and on a GPU each byte once.
#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/fenced_pages.h"
#include "tests/support/launch_profile.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// Two tokens, everything right at a fence. The test fails by ending the program.
void run_at_fences(Runtime& runtime, const RopeSpec& spec, FencedPages::Side side) {
  constexpr std::size_t kTokens = 2;
  const auto bytes = [&](std::int64_t heads) {
    return kTokens * static_cast<std::size_t>(heads * spec.head_dim) * size_of(spec.dtype);
  };
  const FencedPages q(bytes(spec.heads), side), q_out(bytes(spec.heads), side);
  const FencedPages k(bytes(spec.kv_heads), side), cache(bytes(spec.kv_heads), side);
  const FencedPages weight(static_cast<std::size_t>(spec.head_dim) * size_of(spec.dtype), side);
  const FencedPages positions(kTokens * 8, side), slots(kTokens * 8, side);
  const std::int64_t ids[] = {5, 0}, places[] = {1, 0};
  std::memcpy(positions.data(), ids, sizeof ids);
  std::memcpy(slots.data(), places, sizeof places);
  const auto kernel = runtime.get(spec).value();
  const auto launched = kernel.launch({.q = q.data(),
                                       .k = k.data(),
                                       .q_out = q_out.data(),
                                       .k_cache = cache.data(),
                                       .q_norm_weight = weight.data(),
                                       .k_norm_weight = weight.data(),
                                       .positions = positions.data(),
                                       .slots = slots.data(),
                                       .pages = 2,
                                       .tokens = kTokens},
                                      {});
  CHECK(launched.has_value());
}

/// One launch on tightly packed tensors; what it has to move at least, with the turns of a position, which
/// each token may read: they are as good as in the L2 cache after the first.
std::uint64_t launch(Runtime& runtime, const RopeSpec& spec, Index tokens, Result<void>& done) {
  const auto kernel = runtime.get(spec);
  if (!kernel) {
    done = kernel.error();
    return 1;
  }
  std::vector<Buffer> buffers;
  auto moved = static_cast<std::uint64_t>(tokens * spec.rotary_dim / 2 * 8);
  const auto buffer = [&](std::int64_t elements, DType dtype) {
    const std::size_t bytes = static_cast<std::size_t>(elements) * size_of(dtype);
    moved += bytes;
    buffers.push_back(runtime.allocate(bytes).value());
    const std::vector<std::byte> zeros(bytes);
    runtime.copy_to_device(buffers.back().data(), zeros.data(), bytes, {}).value();
    return buffers.back().data();
  };
  const std::int64_t q = tokens * spec.heads * spec.head_dim, k = tokens * spec.kv_heads * spec.head_dim;
  RopeArgs args{.tokens = tokens};
  args.q = buffer(q, spec.dtype);
  args.k = buffer(k, spec.dtype);
  args.q_out = buffer(q, spec.out_dtype.value_or(spec.dtype));
  args.positions = buffer(tokens, i64);
  if (spec.append == RopeAppend::none) {
    args.k_out = buffer(k, spec.out_dtype.value_or(spec.dtype));
  } else {
    args.pages = tokens / spec.page_size;
    std::vector<std::int64_t> slots(static_cast<std::size_t>(tokens));
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<std::int64_t>(i);
    void* const places = buffer(tokens, i64);
    runtime.copy_to_device(places, slots.data(), slots.size() * 8, {}).value();
    args.slots = places;
    args.k_cache = buffer(k, spec.cache_dtype.value_or(spec.dtype));
    args.v = buffer(k, spec.dtype);
    args.v_cache = buffer(k, spec.cache_dtype.value_or(spec.dtype));
  }
  done = kernel->launch(args, {});
  return moved;
}

}  // namespace

TEST_CASE("rope: no byte beyond a row is read or written") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // the emulator checks it in every test
    for (const DType dtype : {f32, f16, bf16}) {
      for (const RopePairs pairs : {RopePairs::half, RopePairs::interleaved}) {
        for (const std::int64_t dim : {2, 3, 17, 64, 66, 127}) {
          for (const bool norm : {false, true}) {
            const RopeSpec spec{.heads = 1,
                                .kv_heads = 1,
                                .head_dim = dim,
                                .pairs = pairs,
                                .dtype = dtype,
                                .qk_norm = norm,
                                .append = RopeAppend::slots,
                                .page_size = 1};
            run_at_fences(runtime, spec, FencedPages::Side::begin);
            run_at_fences(runtime, spec, FencedPages::Side::end);
          }
        }
      }
    }
  });
}

TEST_CASE("rope: offsets beyond 2^31 elements") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // emulated memory is not sparse
    // Two tokens 2^31 + 64 elements apart; the second is turned by half of a turn's worth of nothing: at
    // position 0 values stay, so the place alone is tested, for q and for a cache.
    constexpr Index kDim = 64;
    constexpr Index kStride = (Index{1} << 31) + kDim;
    constexpr std::size_t kBytes = static_cast<std::size_t>(kStride + kDim) * 2;
    const auto map = [&] {
      return mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                  0);
    };
    void* const q = map();
    void* const cache = map();
    REQUIRE(q != MAP_FAILED);
    REQUIRE(cache != MAP_FAILED);
    std::array<std::uint16_t, kDim> row{};
    for (const Index at : {Index{0}, kStride}) {
      row.fill(at == 0 ? 0x4000 : 0xC080);  // 2 and -4
      std::memcpy(static_cast<std::uint16_t*>(q) + at, row.data(), sizeof row);
    }
    const std::int64_t zeros[] = {0, 0}, slots[] = {1, 0};
    const auto kernel =
        runtime
            .get(RopeSpec{
                .heads = 1, .kv_heads = 1, .head_dim = kDim, .append = RopeAppend::slots, .page_size = 1})
            .value();
    const auto launched = kernel.launch({.q = q,
                                         .k = q,
                                         .q_out = q,
                                         .k_cache = cache,
                                         .positions = zeros,
                                         .slots = slots,
                                         .pages = 2,
                                         .tokens = 2,
                                         .q_token_stride = kStride,
                                         .k_token_stride = kStride,
                                         .q_out_token_stride = kStride,
                                         .k_cache_page_stride = kStride},
                                        {});
    CHECK(launched.has_value());
    for (const Index at : {Index{0}, kStride}) {
      std::array<std::uint16_t, kDim> expected{};
      expected.fill(at == 0 ? 0x4000 : 0xC080);
      CHECK(std::memcmp(static_cast<std::uint16_t*>(q) + at, expected.data(), sizeof expected) == 0);
      expected.fill(at == 0 ? 0xC080 : 0x4000);  // the tokens change places in the cache
      CHECK(std::memcmp(static_cast<std::uint16_t*>(cache) + at, expected.data(), sizeof expected) == 0);
    }
    munmap(q, kBytes);
    munmap(cache, kBytes);
  });
}

TEST_CASE("rope moves each byte once, in whole sectors") {
  const std::string arch = GENERATE("sm_80", "sm_90a");
  const auto check = [&](const RopeSpec& spec) {
    std::uint64_t floor = 0;
    const auto profiles = profiles_of(arch, [&](Runtime& runtime) {
      Result<void> done;
      floor = launch(runtime, spec, 64, done);
      return done;
    });
    if (!profiles) return;
    REQUIRE(profiles->size() == 1);
    const auto& global = profiles->front().global;
    INFO(arch << ": " << global.read_bytes << " bytes read, " << global.written_bytes << " written of "
              << floor << ", " << global.sectors << " sectors of " << global.ideal_sectors);
    CHECK(100 * (global.read_bytes + global.written_bytes) <= 105 * floor);
    CHECK(global.written_bytes == global.distinct_written_bytes);
    CHECK(100 * global.sectors <= 105 * global.ideal_sectors);
  };
  RopeSpec spec{.heads = 32, .kv_heads = 8, .head_dim = 128, .rotary_dim = 128};
  check(spec);
  spec.pairs = RopePairs::interleaved;
  check(spec);
  spec.rotary_dim = 64;
  check(spec);
  spec.rotary_dim = 128;
  spec.append = RopeAppend::slots;
  spec.v_dim = 128;
  check(spec);
  spec.out_dtype = spec.cache_dtype = e4m3;
  check(spec);
}
