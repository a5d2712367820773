// rope on every device at hand, against double precision.
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

const DType kDTypes[] = {f32, f16, bf16};
const RopePairs kBothPairs[] = {RopePairs::half, RopePairs::interleaved};

RopeFrequencies longrope(std::int64_t pairs) {
  RopeFrequencies f{.scaling = RopeScaling::longrope, .factor = 32, .original_positions = 64, .length = 4096};
  for (std::int64_t i = 0; i < pairs; ++i) {
    f.short_factor.push_back(1);
    f.long_factor.push_back(1 + 0.25 * static_cast<double>(i));
  }
  return f;
}

}  // namespace

TEST_CASE("rope: every dtype and pairing, in and out of place, in any order of strides") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const DType dtype : kDTypes) {
      for (const RopePairs pairs : kBothPairs) {
        for (const bool in_place : {false, true}) {
          const RopeSpec spec{.heads = 3, .kv_heads = 2, .head_dim = 64, .pairs = pairs, .dtype = dtype};
          check(runtime, {.spec = spec, .in_place = in_place, .seed = seed++});
          check(runtime, {.spec = spec, .padding = 16, .in_place = in_place, .seed = seed++});
          check(runtime, {.spec = spec, .in_place = in_place, .packed_qkv = true, .seed = seed++});
        }
        check(runtime, {.spec = {.heads = 3, .kv_heads = 2, .head_dim = 64, .pairs = pairs, .dtype = dtype},
                        .heads_outside = true});
      }
    }
  });
}

TEST_CASE("rope: queries only, keys only, many heads") {
  on_every_target([](Runtime& runtime) {
    check(runtime, {.spec = {.heads = 5, .head_dim = 32}});
    check(runtime, {.spec = {.kv_heads = 3, .head_dim = 32}});
    check(runtime, {.spec = {.heads = 32, .kv_heads = 8, .head_dim = 128}, .tokens = 3});
    check(runtime, {.spec = {.heads = 73, .kv_heads = 213, .head_dim = 92}, .tokens = 2});
    check(runtime, {.spec = {.heads = 128, .kv_heads = 1, .head_dim = 64, .pairs = RopePairs::interleaved},
                    .tokens = 2});
  });
}

TEST_CASE("rope: every size of head, and parts of heads") {
  on_every_target([](Runtime& runtime) {
    for (const RopePairs pairs : kBothPairs) {
      for (const std::int64_t dim : {2, 3, 8, 41, 80, 92, 96, 112, 128, 192, 256, 512, 1024}) {
        check(runtime, {.spec = {.heads = 2, .kv_heads = 1, .head_dim = dim, .pairs = pairs}, .tokens = 3});
      }
      // {head_dim, rotary_dim, rotary_offset}
      const std::int64_t parts[][3] = {{64, 16, 0},  {64, 48, 0},   {128, 64, 0},   {80, 64, 0},
                                       {160, 96, 0}, {256, 128, 0}, {192, 64, 128}, {576, 64, 512},
                                       {40, 8, 12},  {33, 6, 5}};
      for (const auto& [dim, rotary, offset] : parts) {
        for (const DType dtype : {f32, bf16}) {
          const RopeSpec spec{.heads = 2,
                              .kv_heads = 1,
                              .head_dim = dim,
                              .rotary_dim = rotary,
                              .rotary_offset = offset,
                              .pairs = pairs,
                              .dtype = dtype};
          check(runtime, {.spec = spec, .tokens = 3});
        }
        check(runtime, {.spec = {.heads = 2, .head_dim = dim, .rotary_dim = rotary, .rotary_offset = offset},
                        .tokens = 3,
                        .in_place = true});
      }
    }
  });
}

TEST_CASE("rope: any number of tokens, none included") {
  on_every_target([](Runtime& runtime) {
    for (const Index tokens : {0, 1, 2, 19, 99})
      check(runtime, {.spec = {.heads = 4, .kv_heads = 1, .head_dim = 32}, .tokens = tokens});
  });
}

TEST_CASE("rope: tensors at any address that the spec's alignment allows") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : kDTypes) {
      for (auto alignment = static_cast<std::int64_t>(size_of(dtype)); alignment <= 16; alignment *= 2) {
        for (const RopePairs pairs : kBothPairs) {
          check(runtime,
                {.spec = {.heads = 2,
                          .kv_heads = 1,
                          .head_dim = 64,
                          .pairs = pairs,
                          .dtype = dtype,
                          .alignment = alignment},
                 .tokens = 3,
                 .offset_elements = static_cast<int>(alignment / static_cast<std::int64_t>(size_of(dtype)))});
        }
      }
    }
  });
}

TEST_CASE("rope: every scaling of the frequencies") {
  on_every_target([](Runtime& runtime) {
    const RopeFrequencies scalings[] = {
        {.theta = 5e5},
        {.scaling = RopeScaling::linear, .factor = 8},
        {.scaling = RopeScaling::ntk, .factor = 4},
        {.scaling = RopeScaling::dynamic_ntk, .factor = 2, .original_positions = 64, .length = 300},
        {.scaling = RopeScaling::llama3, .theta = 5e5, .factor = 8, .original_positions = 8192},
        {.scaling = RopeScaling::yarn, .factor = 40, .original_positions = 4096},
        {.scaling = RopeScaling::yarn,
         .theta = 150000,
         .factor = 32,
         .original_positions = 4096,
         .truncate = false},
        longrope(32)};
    for (const RopeFrequencies& frequencies : scalings) {
      for (const RopePairs pairs : kBothPairs) {
        check(runtime, {.spec = {.heads = 2,
                                 .kv_heads = 1,
                                 .head_dim = 64,
                                 .pairs = pairs,
                                 .dtype = f32,
                                 .frequencies = frequencies}});
      }
    }
  });
}

TEST_CASE("rope: positions are exact, however large") {
  on_every_target([](Runtime& runtime) {
    const std::int64_t power = std::int64_t{1} << 31;
    const std::vector<std::int64_t> large{
        0, 1, 1 << 20, (1 << 24) + 1, power - 1, power + 12345, 8 * power + 7, -3};
    for (const RopePairs pairs : kBothPairs) {
      for (const DType dtype : {f32, bf16}) {
        check(runtime, {.spec = {.heads = 1, .kv_heads = 1, .head_dim = 128, .pairs = pairs, .dtype = dtype},
                        .tokens = 8,
                        .positions = large});
      }
    }
    check(runtime, {.spec = {.heads = 1, .head_dim = 64, .dtype = f32, .position_dtype = i32},
                    .tokens = 4,
                    .positions = {0, 1 << 20, 1 << 24, 0x7FFFFFFF}});
    check(runtime, {.spec = {.heads = 1, .head_dim = 64, .dtype = f32, .positions = RopePositions::offset},
                    .offset = power});
  });
}

TEST_CASE("rope: positions by offset and by ragged sequences") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {i32, i64}) {
      RopeSpec spec{.heads = 2, .kv_heads = 1, .head_dim = 32, .position_dtype = dtype};
      check(runtime, {.spec = spec, .tokens = 9});
      spec.positions = RopePositions::offset;
      check(runtime, {.spec = spec, .tokens = 9, .offset = 99});
      spec.positions = RopePositions::ragged;
      check(runtime, {.spec = spec, .tokens = 31});
      check(runtime, {.spec = spec, .tokens = 7, .lengths = {0, 0, 7, 0}, .offsets = {5, 6, 15, 8}});
      check(runtime, {.spec = spec, .tokens = 3, .lengths = {0}, .offsets = {5}});
      check(runtime, {.spec = spec, .tokens = 19, .lengths = std::vector<Index>(17, 1)});
      spec.qk_norm = true;  // lanes without a token take part in sums
      check(runtime, {.spec = spec, .tokens = 31});
    }
  });
}

TEST_CASE("rope: cosines and sines from a table") {
  on_every_target([](Runtime& runtime) {
    for (const DType table : kDTypes) {
      for (const RopePairs pairs : kBothPairs) {
        for (const bool one_table : {false, true}) {
          const DType dtype = table == f16 ? f32 : bf16;
          check(runtime, {.spec = {.heads = 2,
                                   .kv_heads = 1,
                                   .head_dim = 96,
                                   .rotary_dim = 80,
                                   .pairs = pairs,
                                   .dtype = dtype,
                                   .table_dtype = table},
                          .one_table = one_table});
        }
      }
    }
    // A position that the table does not have.
    check(runtime, {.spec = {.heads = 1, .head_dim = 64, .rotary_dim = 32, .table_dtype = f32},
                    .tokens = 4,
                    .positions = {0, -1, 9, 10},
                    .table_rows = 10});
  });
}

TEST_CASE("rope: a position for each section of the pairs") {
  on_every_target([](Runtime& runtime) {
    struct Case {
      std::int64_t dim;
      std::vector<std::int64_t> sections;
      RopeSections order;
    };
    const Case cases[] = {
        {128, {16, 24, 24}, RopeSections::consecutive}, {96, {16, 16, 16}, RopeSections::consecutive},
        {64, {8, 12, 12}, RopeSections::consecutive},   {128, {24, 20, 20}, RopeSections::interleaved},
        {16, {0, 5, 1, 2}, RopeSections::consecutive},  {32, {9, 7}, RopeSections::interleaved}};
    for (const Case& c : cases) {
      RopeSpec spec{
          .heads = 3, .kv_heads = 2, .head_dim = c.dim, .sections = c.sections, .section_order = c.order};
      check(runtime, {.spec = spec});
      spec.pairs = RopePairs::interleaved;
      spec.position_dtype = i32;
      check(runtime, {.spec = spec});
      spec.table_dtype = f32;
      check(runtime, {.spec = spec});
    }
  });
}

TEST_CASE("rope: the inverse turns back") {
  on_every_target([](Runtime& runtime) {
    for (const RopePairs pairs : kBothPairs) {
      RopeSpec spec{.heads = 2, .kv_heads = 1, .head_dim = 64, .pairs = pairs, .inverse = true};
      check(runtime, {.spec = spec});
      spec.frequencies = {.scaling = RopeScaling::yarn, .factor = 4, .original_positions = 64};
      check(runtime, {.spec = spec, .in_place = true});
      spec.frequencies = {};
      spec.table_dtype = bf16;
      check(runtime, {.spec = spec});
    }
  });
}
