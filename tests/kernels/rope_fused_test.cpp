// rope with what is fused to it: norms, fp8, appends to a cache.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernels/rope_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const RopeCase& test) {
  const std::string wrong = run_rope(runtime, test);
  CHECK(wrong == "");
}

const RopePairs kBothPairs[] = {RopePairs::half, RopePairs::interleaved};

}  // namespace

TEST_CASE("rope: heads are normalised first") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const Casting casting : {Casting::llama, Casting::gemma, Casting::none}) {
      for (const RopePairs pairs : kBothPairs) {
        for (const DType dtype : {f32, bf16, f16}) {
          RopeSpec spec{
              .heads = 3, .kv_heads = 2, .head_dim = 128, .pairs = pairs, .dtype = dtype, .qk_norm = true};
          spec.norm_casting = casting;
          if (seed % 2 == 0) spec.norm_weight_dtype = dtype == f32 ? bf16 : f32;
          if (seed % 3 == 0) spec.norm_weight_offset = 1;
          check(runtime, {.spec = spec, .in_place = seed % 4 == 0, .seed = seed});
          ++seed;
        }
      }
    }
    const RopeSpec without{
        .heads = 2, .kv_heads = 1, .head_dim = 64, .qk_norm = true, .norm_has_weight = false};
    check(runtime, {.spec = without});
    // What is not rotated is normalised too.
    for (const std::int64_t dim : {80, 96, 256, 576}) {
      RopeSpec partial{
          .heads = 2, .kv_heads = 1, .head_dim = dim, .rotary_dim = 32, .rotary_offset = 16, .qk_norm = true};
      check(runtime, {.spec = partial, .packed_qkv = true});
      partial.alignment = 2;
      partial.pairs = RopePairs::interleaved;
      check(runtime, {.spec = partial, .in_place = true});
    }
  });
}

TEST_CASE("rope: results in fp8") {
  on_every_target([](Runtime& runtime) {
    // {heads, kv_heads, rotated, not rotated}
    const std::int64_t shapes[][4] = {
        {12, 1, 64, 512}, {4, 1, 32, 96}, {8, 2, 64, 64}, {6, 2, 32, 96}, {8, 2, 128, 0}};
    for (const DType out : {e4m3, e5m2}) {
      for (const auto& [heads, kv_heads, rotated, rest] : shapes) {
        for (const DType dtype : {f16, bf16}) {
          RopeSpec spec{.heads = heads,
                        .kv_heads = kv_heads,
                        .head_dim = rotated + rest,
                        .rotary_dim = rotated,
                        .dtype = dtype,
                        .out_dtype = out};
          spec.pairs = dtype == f16 ? RopePairs::half : RopePairs::interleaved;
          check(runtime, {.spec = spec, .tokens = 3, .q_scale = 0.5f, .k_scale = 3.0f});
          if (rest == 0) continue;
          // The same with the rest in tensors of their own.
          spec.head_dim = rotated;
          spec.q_nope_dim = spec.k_nope_dim = rest;
          check(runtime, {.spec = spec, .tokens = 3, .padding = 16, .q_scale = 200.0f, .k_scale = 0.1f});
        }
      }
      check(runtime, {.spec = {.heads = 2, .kv_heads = 1, .head_dim = 20, .dtype = f32, .out_dtype = out}});
      check(runtime, {.spec = {.heads = 2, .kv_heads = 1, .head_dim = 6, .out_dtype = out}});
    }
  });
}

TEST_CASE("rope: keys and values go to pages") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const RopeAppend append : {RopeAppend::slots, RopeAppend::pages}) {
      for (const DType slot : {i32, i64}) {
        for (const std::int64_t page_size : {1, 5, 16}) {
          for (const bool hnd : {false, true}) {
            RopeSpec spec{.heads = 4,
                          .kv_heads = 2,
                          .head_dim = 64,
                          .append = append,
                          .v_dim = 64,
                          .page_size = page_size,
                          .slot_dtype = slot};
            spec.store_k = seed % 3 == 0;
            if (seed % 2 == 0) spec.cache_dtype = seed % 4 == 0 ? e4m3 : e5m2;
            if (seed % 5 == 0) spec.out_dtype = e4m3;
            check(runtime, {.spec = spec,
                            .tokens = 13,
                            .padding = seed % 2 == 0 ? 0 : 16,
                            .in_place = spec.out_dtype != e4m3 && seed % 2 == 1,
                            .packed_qkv = seed % 4 < 2,
                            .hnd = hnd,
                            .k_scale = 0.5f,
                            .v_scale = 2.0f,
                            .seed = seed});
            ++seed;
          }
        }
      }
    }
  });
}

TEST_CASE("rope: latent keys go to pages with their rotated part") {
  on_every_target([](Runtime& runtime) {
    for (const RopeAppend append : {RopeAppend::slots, RopeAppend::pages}) {
      for (const DType cached : {bf16, e4m3}) {
        for (const std::int64_t page_size : {1, 64}) {
          check(runtime, {.spec = {.heads = 8,
                                   .kv_heads = 1,
                                   .head_dim = 64,
                                   .pairs = RopePairs::interleaved,
                                   .out_dtype = cached,
                                   .q_nope_dim = 512,
                                   .k_nope_dim = 512,
                                   .append = append,
                                   .page_size = page_size,
                                   .cache_dtype = cached},
                          .tokens = 6,
                          .q_scale = 0.25f});
        }
      }
    }
  });
}

TEST_CASE("rope: everything at once") {
  on_every_target([](Runtime& runtime) {
    for (const RopePairs pairs : kBothPairs) {
      for (const RopePositions positions : {RopePositions::ids, RopePositions::ragged}) {
        RopeSpec spec{
            .heads = 6, .kv_heads = 2, .head_dim = 96, .rotary_dim = 64, .rotary_offset = 16, .pairs = pairs};
        spec.positions = positions;
        spec.frequencies = {
            .scaling = RopeScaling::llama3, .theta = 5e5, .factor = 8, .original_positions = 8192};
        spec.qk_norm = true;
        spec.norm_weight_dtype = f32;
        spec.norm_casting = Casting::llama;
        spec.append = RopeAppend::pages;
        spec.store_k = true;
        spec.v_dim = 100;
        spec.page_size = 4;
        spec.slot_dtype = i32;
        spec.cache_dtype = e4m3;
        check(runtime,
              {.spec = spec, .tokens = 17, .padding = 16, .in_place = true, .hnd = true, .k_scale = 4});
        if (positions == RopePositions::ids) {
          spec.frequencies = {};
          spec.table_dtype = f32;
          spec.sections = {12, 10, 10};
          spec.section_order = RopeSections::interleaved;
          check(runtime, {.spec = spec, .tokens = 17, .packed_qkv = true});
        }
      }
    }
  });
}
