// rope at the sizes of serving engines, their padding, and two tokens with one slot.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/kernels/rope_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/test_targets.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const RopeCase& test) {
  const std::string wrong = run_rope(runtime, test);
  CHECK(wrong == "");
}

/// The emulator has time for the first few tokens only; they meet every branch.
std::vector<Index> token_counts(const Runtime& runtime, std::vector<Index> counts) {
  if (runtime.target().backend == Backend::emulate) counts.resize(2);
  return counts;
}

}  // namespace

TEST_CASE("rope: slices of packed projections at the sizes of serving") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    // Batches of 1, 19, 99 and 989 tokens, and of 19 sequences of 204.
    for (const Index tokens : token_counts(runtime, {1, 19, 99, 989, 19 * 204})) {
      for (const std::int64_t heads : {8, 16}) {
        for (const std::int64_t dim : {64, 128, 256}) {
          if (tokens >= 989 && (heads == 16 || dim != 64 * (1 + tokens % 2))) continue;  // sizes, not shapes
          // A quarter, half, three quarters and all of each head.
          const std::int64_t rotary = dim * (1 + seed % 4) / 4;
          RopeSpec spec{.heads = heads,
                        .kv_heads = 8,
                        .head_dim = dim,
                        .rotary_dim = rotary,
                        .pairs = seed % 3 == 0 ? RopePairs::half : RopePairs::interleaved,
                        .dtype = f16};
          if (seed % 2 == 0)
            spec.frequencies = {
                .scaling = RopeScaling::llama3, .theta = 5e5, .factor = 8, .original_positions = 8192};
          spec.positions = RopePositions::ragged;
          check(runtime, {.spec = spec,
                          .tokens = tokens,
                          .lengths = {tokens},
                          .offsets = {seed % 3 == 1 ? 15 : 99},
                          .in_place = seed % 2 == 1,
                          .packed_qkv = true,
                          .seed = seed});
          ++seed;
        }
      }
    }
  });
}

TEST_CASE("rope: quantised and appended at the sizes of serving") {
  on_every_target([](Runtime& runtime) {
    // {heads, kv_heads, rotated, not rotated}: latent attention, shared heads, a head for each
    const std::int64_t shapes[][4] = {{128, 1, 64, 512},  {64, 1, 128, 256}, {32, 1, 32, 96},
                                      {64, 16, 128, 128}, {24, 6, 32, 96},   {32, 8, 128, 0},
                                      {32, 32, 64, 64}};
    std::uint32_t seed = 1;
    for (const Index tokens : token_counts(runtime, {1, 3, 128, 199, 899, 2047})) {
      for (const auto& [heads, kv_heads, rotated, rest] : shapes) {
        if (tokens >= 128 && heads != 24) continue;  // sizes, not shapes
        RopeSpec spec{.heads = heads,
                      .kv_heads = kv_heads,
                      .head_dim = rotated + rest,
                      .rotary_dim = rotated,
                      .dtype = seed % 2 == 0 ? f16 : bf16,
                      .position_dtype = seed % 3 == 0 ? i32 : i64};
        spec.out_dtype = seed % 4 < 2 ? e4m3 : e5m2;
        spec.append = RopeAppend::pages;
        spec.cache_dtype = spec.out_dtype;
        spec.page_size = seed % 2 == 0 ? 16 : 32;
        spec.slot_dtype = i32;
        check(runtime, {.spec = spec,
                        .tokens = tokens,
                        .hnd = seed % 3 == 0,
                        .q_scale = 0.5f,
                        .k_scale = 2.0f,
                        .seed = seed++});
      }
    }
  });
}

TEST_CASE("rope: tokens that pad a captured graph leave the cache alone") {
  on_every_target([](Runtime& runtime) {
    const bool is_emulated = runtime.target().backend == Backend::emulate;
    const std::vector<Index> lengths =
        is_emulated ? std::vector<Index>{3, 5, 7} : std::vector<Index>{30, 50, 70};
    Index tokens = 5;  // of padding: their batch index is -1
    for (const Index length : lengths) tokens += length;
    RopeSpec spec{.heads = 8, .kv_heads = 2, .head_dim = 64, .append = RopeAppend::pages, .v_dim = 64};
    spec.slot_dtype = i32;
    spec.cache_dtype = e4m3;
    check(runtime, {.spec = spec, .tokens = tokens, .lengths = lengths, .offsets = {0, 4, 9}});
  });
}

TEST_CASE("rope: of two tokens with one slot either is kept, and the race check tells") {
  on_every_target([](Runtime& runtime) {
    constexpr std::size_t kTokens = 64, kDim = 64, kPlaces = 3;
    const RopeSpec spec{
        .kv_heads = 1, .head_dim = kDim, .dtype = f32, .append = RopeAppend::slots, .page_size = 1};
    GuardedBuffer k(runtime, kTokens * kDim * 4), cache(runtime, kPlaces * kDim * 4);
    GuardedBuffer positions(runtime, kTokens * 8), slots(runtime, kTokens * 8);
    std::vector<float> rows(kTokens * kDim), poison(kPlaces * kDim, -1.0f);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i);
    const std::vector<std::int64_t> at_origin(kTokens, 0), one_slot(kTokens, 1);  // position 0: no turn
    k.upload(rows.data());
    cache.upload(poison.data());
    positions.upload(at_origin.data());
    slots.upload(one_slot.data());
    const auto kernel = runtime.get(spec).value();
    auto done = kernel.launch({.k = k.data(),
                               .k_cache = cache.data(),
                               .positions = positions.data(),
                               .slots = slots.data(),
                               .pages = kPlaces,
                               .tokens = static_cast<Index>(kTokens)},
                              {});
    if (done) done = runtime.synchronize({});
    if (runtime.target().backend == Backend::emulate) {
      REQUIRE(!done);
      CHECK(done.error().text().find("race") != std::string::npos);
      return;
    }
    REQUIRE(done.has_value());
    std::vector<float> now(kPlaces * kDim);
    std::memcpy(now.data(), cache.download().data(), now.size() * 4);
    for (std::size_t i = 0; i < kDim; ++i) {
      CHECK(now[i] == -1.0f);
      CHECK(now[2 * kDim + i] == -1.0f);
      const auto kept = static_cast<std::size_t>(now[kDim + i]);
      CHECK((kept < rows.size() && kept % kDim == i));
    }
  });
}
