// rope on what Liger, QuACK and FlashInfer test theirs with, beyond what the other files have. Where only the
// size would differ there are fewer tokens.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
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

/// Emulated GPUs have time for few tokens only.
Index few(const Runtime& runtime, Index tokens) {
  return runtime.target().backend == Backend::emulate ? std::min<Index>(tokens, 5) : tokens;
}

}  // namespace

TEST_CASE("rope: parts of heads in steps of eight, either way and place") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const std::int64_t dim : {32, 64, 96, 128}) {
      for (std::int64_t rotary = 8; rotary <= dim; rotary += 8) {
        const RopeSpec spec{.heads = 4,
                            .kv_heads = 2,
                            .head_dim = dim,
                            .rotary_dim = rotary,
                            .pairs = seed % 2 == 0 ? RopePairs::half : RopePairs::interleaved,
                            .inverse = seed % 3 == 0};
        check(runtime, {.spec = spec,
                        .tokens = few(runtime, 67),
                        .in_place = seed % 4 < 2,
                        .packed_qkv = seed % 8 < 4,
                        .seed = seed});
        ++seed;
      }
    }
  });
}

TEST_CASE("rope: odd numbers of heads and elements, of queries and keys apart") {
  on_every_target([](Runtime& runtime) {
    struct Shape {
      std::int64_t heads, kv_heads, dim;
      RopePairs pairs;
    };
    using enum RopePairs;
    for (const Shape& shape :
         {Shape{73, 155, 92, half}, Shape{41, 41, 41, half}, Shape{41, 41, 40, interleaved},
          Shape{2, 1, 8, interleaved}, Shape{2, 2, 8, half}}) {
      for (const bool inverse : {false, true}) {
        check(runtime, {.spec = {.heads = shape.heads,
                                 .kv_heads = shape.kv_heads,
                                 .head_dim = shape.dim,
                                 .pairs = shape.pairs,
                                 .dtype = inverse ? f32 : bf16,
                                 .inverse = inverse},
                        .tokens = few(runtime, 63)});
      }
    }
    // Vision: keys and queries of as many heads, by a table.
    for (const auto& [heads, dim] : {std::pair{32, 64}, std::pair{16, 128}, std::pair{73, 92}}) {
      check(runtime, {.spec = {.heads = heads, .kv_heads = heads, .head_dim = dim, .table_dtype = f32},
                      .tokens = few(runtime, 128)});
    }
  });
}

TEST_CASE("rope: sections of models that see") {
  on_every_target([](Runtime& runtime) {
    struct Model {
      std::int64_t heads, kv_heads, dim;
      std::vector<std::int64_t> sections;
    };
    for (const Model& model :
         {Model{64, 8, 128, {16, 24, 24}}, Model{28, 4, 96, {16, 16, 16}}, Model{12, 2, 64, {8, 12, 12}}}) {
      for (const bool inverse : {false, true}) {
        check(runtime, {.spec = {.heads = model.heads,
                                 .kv_heads = model.kv_heads,
                                 .head_dim = model.dim,
                                 .dtype = inverse ? f32 : bf16,
                                 .sections = model.sections,
                                 .inverse = inverse},
                        .tokens = few(runtime, 131)});
      }
    }
  });
}

TEST_CASE("rope: tables of engines") {
  on_every_target([](Runtime& runtime) {
    struct Engine {
      std::int64_t dim, rotary;
      Index positions;
      RopePairs pairs;
      Index batch, length;
      std::int64_t heads, kv_heads;
    };
    using enum RopePairs;
    const Engine engines[] = {{64, 64, 32, half, 32, 32, 1, 1},
                              {256, 128, 4096, half, 2, 512, 4, 2},
                              {64, 32, 2048, half, 2, 199, 4, 1},
                              {64, 64, 32, interleaved, 32, 32, 1, 1},
                              {256, 128, 4096, interleaved, 3, 231, 4, 2},
                              {192, 128, 4096, half, 3, 231, 3, 2},
                              {80, 64, 1024, interleaved, 4, 64, 2, 2},
                              {112, 64, 2048, half, 5, 77, 2, 1},
                              {160, 96, 8192, interleaved, 2, 128, 6, 3}};
    for (const Engine& engine : engines) {
      RopeCase test{.spec = {.heads = engine.heads,
                             .kv_heads = engine.kv_heads,
                             .head_dim = engine.dim,
                             .rotary_dim = engine.rotary,
                             .pairs = engine.pairs,
                             .table_dtype = f32},
                    .tokens = few(runtime, engine.batch * engine.length),
                    .one_table = true,
                    .table_rows = engine.positions};
      for (Index token = 0; token < test.tokens; ++token) {
        test.positions.push_back(token < 2 ? engine.positions - 1 - token : token % engine.length);
      }
      check(runtime, test);
    }
  });
}

TEST_CASE("rope: heads that are quantised and appended, those of each engine") {
  on_every_target([](Runtime& runtime) {
    // {heads, kv_heads, rotated, not rotated}
    const std::int64_t shapes[][4] = {{128, 1, 64, 128}, {32, 8, 64, 64},    {64, 8, 128, 0},
                                      {64, 8, 64, 0},    {16, 16, 128, 128}, {8, 8, 32, 96}};
    std::uint32_t seed = 1;
    for (const auto& [heads, kv_heads, rotated, rest] : shapes) {
      const DType out = seed % 2 == 0 ? e4m3 : e5m2;
      const RopeSpec spec{.heads = heads,
                          .kv_heads = kv_heads,
                          .head_dim = rotated + rest,
                          .rotary_dim = rotated,
                          .dtype = seed % 4 < 2 ? f16 : bf16,
                          .out_dtype = out,
                          .position_dtype = seed % 3 == 0 ? i32 : i64,
                          .append = RopeAppend::pages,
                          .page_size = seed % 2 == 0 ? 16 : 32,
                          .slot_dtype = i32,
                          .cache_dtype = out};
      // Requests that have 10 and 50 tokens get 1 and 8 more; all that was cached stays.
      check(runtime, {.spec = spec,
                      .tokens = 9,
                      .lengths = {1, 8},
                      .offsets = {10, 50},
                      .hnd = seed % 2 == 1,
                      .q_scale = 0.5f,
                      .k_scale = 2.0f,
                      .seed = seed});
      check(runtime, {.spec = spec, .tokens = few(runtime, 199), .hnd = seed % 2 == 0, .seed = seed});
      ++seed;
    }
  });
}
