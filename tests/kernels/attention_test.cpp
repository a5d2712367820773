// attention on every device at hand, against double precision: shapes, storages, masks and splits.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const AttentionCase& test) {
  const std::string wrong = run_attention(runtime, test);
  CHECK(wrong == "");
}

using Lengths = std::vector<AttentionLengths>;

constexpr AttentionPhase kPhases[] = {AttentionPhase::prefill, AttentionPhase::decode};
constexpr AttentionMask kMasks[] = {AttentionMask::none, AttentionMask::causal, AttentionMask::custom};
constexpr KvStorage kStorages[] = {KvStorage::contiguous, KvStorage::ragged, KvStorage::paged};

AttentionSpec paged(AttentionSpec spec, std::int64_t page_size) {
  spec.storage = KvStorage::paged;
  spec.page_size = page_size;
  return spec;
}

}  // namespace

TEST_CASE("attention: every storage, mask and phase") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const AttentionPhase phase : kPhases) {
      for (const KvStorage storage : kStorages) {
        for (const AttentionMask mask : kMasks) {
          AttentionCase test{.spec = {.query_heads = 4,
                                      .kv_heads = 2,
                                      .head_dim = 64,
                                      .dtype = seed % 2 == 0 ? f16 : bf16,
                                      .phase = phase,
                                      .storage = storage,
                                      .mask = mask,
                                      .store_lse = seed % 3 != 0}};
          if (storage == KvStorage::paged) test.spec.page_size = 16;
          test.requests = phase == AttentionPhase::prefill ? Lengths{{37, 54}, {1, 1}, {70, 97}}
                                                           : Lengths{{1, 54}, {2, 1}, {1, 97}, {3, 200}};
          test.seed = seed++;
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("attention: any number of query heads per key-value head") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t group : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
      for (const AttentionPhase phase : kPhases) {
        const bool is_prefill = phase == AttentionPhase::prefill;
        check(runtime, {.spec = {.query_heads = 2 * group,
                                 .kv_heads = 2,
                                 .head_dim = 64,
                                 .phase = phase,
                                 .mask = AttentionMask::causal,
                                 .store_lse = true},
                        .requests = {{is_prefill ? 19 : 1, 70}, {is_prefill ? 3 : 5, 129}},
                        .seed = static_cast<std::uint32_t>(group)});
      }
    }
  });
}

TEST_CASE("attention: any number of key-value heads") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t heads : {1, 3, 11}) {
      for (const AttentionPhase phase : kPhases) {
        AttentionSpec spec{.query_heads = 2 * heads, .kv_heads = heads, .head_dim = 64, .phase = phase};
        spec.mask = AttentionMask::causal;
        check(runtime, {.spec = paged(spec, 16), .requests = {{1, 70}, {3, 130}, {1, 0}, {1, 1}}});
      }
    }
  });
}

TEST_CASE("attention: every head dimension") {
  on_every_target([](Runtime& runtime) {
    for (std::int64_t dim = 32; dim <= 256; dim += 8) {
      const bool is_common = dim % 64 == 0 || dim == 80 || dim == 96;
      for (const AttentionPhase phase : kPhases) {
        if (!is_common && (phase == AttentionPhase::decode) == (dim % 16 == 0)) continue;
        check(runtime, {.spec = {.query_heads = 2, .kv_heads = 1, .head_dim = dim, .phase = phase},
                        .requests = {{phase == AttentionPhase::prefill ? 33 : 1, 67}},
                        .seed = static_cast<std::uint32_t>(dim)});
      }
    }
    for (const auto& [key, value] :
         {std::pair{192, 128}, {128, 256}, {256, 128}, {64, 40}, {40, 64}, {256, 32}}) {
      check(runtime, {.spec = {.query_heads = 3, .kv_heads = 3, .head_dim = key, .value_dim = value},
                      .requests = {{18, 65}}});
    }
  });
}

TEST_CASE("attention: pages of any size, in any order, with heads inside or outside") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t page_size : {1, 3, 5, 8, 16, 64, 100}) {
      for (const bool heads_outside : {false, true}) {
        for (const bool fused : {false, true}) {
          const AttentionPhase phase = kPhases[fused];
          AttentionSpec spec{.query_heads = 8, .kv_heads = 2, .head_dim = 64, .phase = phase};
          spec.mask = AttentionMask::causal;
          spec.index_dtype = heads_outside ? i64 : i32;
          check(runtime, {.spec = paged(spec, page_size),
                          .requests = {{fused ? 1 : 7, 100}, {1, 16}, {1, 1}, {2, 65}},
                          .heads_outside = heads_outside,
                          .fused = fused,
                          .padding = page_size == 5 ? 16 : 0});
        }
      }
    }
  });
}

TEST_CASE("attention: tensors at any stride") {
  on_every_target([](Runtime& runtime) {
    for (const KvStorage storage : {KvStorage::contiguous, KvStorage::ragged}) {
      for (const bool heads_outside : {false, true}) {
        check(runtime, {.spec = {.query_heads = 6,
                                 .kv_heads = 2,
                                 .head_dim = 128,
                                 .storage = storage,
                                 .mask = AttentionMask::causal},
                        .requests = {{7, 7}, {20, 127}},
                        .heads_outside = heads_outside,
                        .fused = true,
                        .padding = 32});
      }
    }
  });
}

TEST_CASE("attention: rows that see nothing, requests without queries or keys") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionSpec spec{.query_heads = 4, .kv_heads = 2, .head_dim = 64, .phase = phase, .store_lse = true};
      spec.mask = AttentionMask::causal;
      // 33 of 34 queries come before the only key.
      check(runtime, {.spec = spec, .requests = {{34, 1}}});
      check(runtime, {.spec = spec, .requests = {{0, 10}, {3, 0}, {0, 0}, {2, 5}, {70, 0}}});
      check(runtime, {.spec = paged(spec, 16), .requests = {{1, 0}, {1, 16}, {40, 32}, {0, 5}}});
      check(runtime, {.spec = spec, .requests = {}});
      check(runtime, {.spec = spec, .requests = {{100, 60}}, .plan = {.fixed_split = 64}});
    }
  });
}

TEST_CASE("attention: keys in splits, merged") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (const std::int64_t split : {64, 128, 192}) {
        AttentionSpec spec{
            .query_heads = 8, .kv_heads = 2, .head_dim = 128, .phase = phase, .store_lse = true};
        spec.mask = split == 128 ? AttentionMask::none : AttentionMask::causal;
        const std::int64_t queries = phase == AttentionPhase::prefill ? 40 : 1;
        check(runtime, {.spec = spec,
                        .requests = {{queries, 129}, {1, 64}, {queries, 300}, {2, 65}},
                        .plan = {.fixed_split = split}});
        check(runtime, {.spec = paged(spec, 16),
                        .requests = {{queries, 513}, {2, 129}},
                        .plan = {.fixed_split = split,
                                 .room = AttentionRoom{
                                     .requests = 3, .work_items = 120, .merge_items = 20, .splits = 100}}});
      }
    }
    // As the device would have it.
    AttentionSpec decode{.query_heads = 4, .kv_heads = 1, .head_dim = 64, .phase = AttentionPhase::decode};
    check(runtime, {.spec = paged(decode, 16), .requests = {{1, 3000}}});
    check(runtime, {.spec = decode, .requests = {{1, 3000}}, .plan = {.may_split = false}});
  });
}

TEST_CASE("attention: an only logit, however low, has all the weight") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (const std::int64_t keys : {1, 40}) {
        AttentionCase test{.spec = {.query_heads = 32,
                                    .kv_heads = 4,
                                    .head_dim = 128,
                                    .dtype = f16,
                                    .phase = phase,
                                    .mask = AttentionMask::causal,
                                    .store_lse = true},
                           .requests = {{1, keys}}};
        test.spec = paged(test.spec, 1);
        // Products of -46341 with the scale, below what others take for minus infinity.
        test.query_size = test.key_size = test.value_size = 0;
        test.query_mean = 64;
        test.key_mean = -64;
        test.value_mean = 1;
        test.exact = true;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("attention: logits far apart, values far from zero") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (const DType dtype : {f16, bf16}) {
        const std::int64_t queries = phase == AttentionPhase::prefill ? 20 : 1;
        check(runtime, {.spec = {.query_heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 64,
                                 .dtype = dtype,
                                 .phase = phase,
                                 .store_lse = true},
                        .requests = {{queries, 150}},
                        .query_size = 100,
                        .value_mean = 3});
        // Far below -5e4, which has served others as minus infinity.
        check(runtime, {.spec = {.query_heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 64,
                                 .dtype = dtype,
                                 .phase = phase,
                                 .store_lse = true},
                        .requests = {{queries, 1}, {1, 3}},
                        .softmax_scale = -9000.0f,
                        .query_size = 4});
      }
    }
  });
}
