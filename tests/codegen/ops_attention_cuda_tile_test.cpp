// How attention's blocks are shaped for NVIDIA GPUs.
#include "codegen/ops/attention_cuda_tile.h"

#include <cstdint>
#include <utility>

#include "codegen/ops/attention.h"
#include "tests/support/catch.h"

using lathe::AttentionPhase;
using lathe::AttentionSpec;
using lathe::KvStorage;
using namespace lathe::codegen;

namespace {

AttentionSpec normal(AttentionSpec spec) {
  return std::get<AttentionSpec>(normalize_attention(spec).value());
}

const CudaArch& arch(std::string_view name) {
  return *find_cuda_arch(name);
}

AttentionSpec latent(std::int64_t heads, AttentionPhase phase) {
  return {.query_heads = heads,
          .kv_heads = 1,
          .head_dim = 576,
          .value_dim = 512,
          .rest_dim = 64,
          .values_are_keys = true,
          .phase = phase,
          .storage = KvStorage::paged,
          .page_size = 64};
}

/// Calls `check(spec, tile, arch)` for dimensions, groups, phases, storages and types of all kinds.
template <class Check>
void for_each_tile(Check check) {
  for (const CudaArch& gpu : cuda_archs()) {
    for (const AttentionPhase phase : {AttentionPhase::prefill, AttentionPhase::decode}) {
      for (const std::int64_t group : {1, 5, 16, 17, 32, 33, 128}) {
        for (const auto& [key, value] : {std::pair{32, 32},
                                         {40, 40},
                                         {64, 64},
                                         {128, 128},
                                         {192, 128},
                                         {256, 256},
                                         {256, 32},
                                         {576, 512},
                                         {64, 512},
                                         {576, 64}}) {
          for (const bool is_fp8 : {false, true}) {
            AttentionSpec spec{.query_heads = group, .kv_heads = 1, .head_dim = key, .value_dim = value};
            spec.phase = phase;
            spec.storage = group == 5 ? KvStorage::ragged : KvStorage::paged;
            spec.page_size = group == 5 ? 0 : 16;
            if (is_fp8) spec.kv_dtype = lathe::e4m3;
            spec = normal(spec);
            INFO(gpu.name << ", group " << group << ", " << key << " and " << value);
            check(spec, attention_tile(spec, gpu), gpu);
          }
        }
      }
      for (const std::int64_t heads : {16, 128}) {
        const AttentionSpec spec = normal(latent(heads, phase));
        check(spec, attention_tile(spec, gpu), gpu);
      }
      for (std::int64_t dim = 32; dim <= 256; dim += 8) {
        for (const char* hook : {"", "return value;"}) {
          AttentionSpec shared{.query_heads = 8, .kv_heads = 1, .head_dim = dim, .values_are_keys = true};
          shared.phase = phase;
          shared.hooks.key = hook;
          const AttentionSpec spec = normal(shared);
          INFO(gpu.name << ", values are keys of " << dim);
          check(spec, attention_tile(spec, gpu), gpu);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("every block of attention fits on its GPU") {
  for_each_tile([](const AttentionSpec& spec, const AttentionTile& tile, const CudaArch& gpu) {
    CHECK(shared_bytes(spec, tile) <= gpu.max_dynamic_shared_bytes);
    CHECK(tile.threads() <= 256);
    CHECK(tile.threads() >= tile.keys);  // a thread notes where a key lies
  });
}

TEST_CASE("warps of attention share out keys or columns, and hold what they sum up in registers") {
  for_each_tile([](const AttentionSpec& spec, const AttentionTile& tile, const CudaArch&) {
    CHECK((tile.key_warps == 1 || tile.column_warps == 1));
    CHECK(tile.keys % (16 * tile.key_warps) == 0);
    CHECK(tile.keys % (8 * tile.column_warps) == 0);
    CHECK(tile.row_fragments * ((spec.value_dim + 15) / 16 * 16) / tile.column_warps <= 256);
    // One tile is read while the next comes.
    if (spec.values_are_keys && !stages_keys(spec)) CHECK(tile.stages >= 2);
  });
}

TEST_CASE("the rows of a decoding block are those of one query") {
  for (const std::int64_t group : {1, 4, 7, 8, 16}) {
    const AttentionSpec spec =
        normal({.query_heads = group, .kv_heads = 1, .head_dim = 128, .phase = AttentionPhase::decode});
    for (const char* gpu : {"sm_80", "sm_86", "sm_90a"}) CHECK(attention_tile(spec, arch(gpu)).rows() == 16);
  }
}

TEST_CASE("prefill takes fewer keys at a time where sums leave registers for nothing else") {
  AttentionSpec spec = normal({.query_heads = 8, .kv_heads = 2, .head_dim = 128});
  const AttentionTile plain = attention_tile(spec, arch("sm_90a"));
  CHECK(plain.keys == 64);
  spec.has_soft_cap = true;
  const AttentionTile half = attention_tile(spec, arch("sm_90a"));
  CHECK(half.keys == 32);
  CHECK(half.rows() == plain.rows());
  for (const std::int64_t narrow : {64, 96, 192}) {
    spec.value_dim = narrow;
    CHECK(attention_tile(spec, arch("sm_90a")).keys == 64);
  }
  for (const std::int64_t full : {112, 128, 256}) {
    spec.value_dim = full;
    CHECK(attention_tile(spec, arch("sm_90a")).keys == 32);
  }
  // A decoding warp has logits of 16 keys only.
  spec.phase = AttentionPhase::decode;
  CHECK(attention_tile(spec, arch("sm_90a")).keys == 64);
}

TEST_CASE("common shapes of attention run two blocks per multiprocessor where there is room") {
  for (const AttentionPhase phase : {AttentionPhase::prefill, AttentionPhase::decode}) {
    const AttentionSpec spec = normal({.query_heads = 8, .kv_heads = 2, .head_dim = 128, .phase = phase});
    for (const char* gpu : {"sm_80", "sm_90a"}) {
      const std::int64_t bytes = shared_bytes(spec, attention_tile(spec, arch(gpu))) + 1024;
      CHECK(2 * bytes <= arch(gpu).max_dynamic_shared_bytes + 1024);
    }
  }
  const AttentionSpec prefill = normal({.query_heads = 8, .kv_heads = 2, .head_dim = 128});
  CHECK(attention_tile(prefill, arch("sm_90a")).rows() == 128);
  CHECK(attention_tile(prefill, arch("sm_90a")).stages == 2);
}
