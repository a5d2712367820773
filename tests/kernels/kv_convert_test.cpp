// kv_gather and kv_scatter: casts and scales, on every device at hand, bit by bit.
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "tests/kernels/kv_case.h"
#include "tests/kernels/kv_layouts.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const KvCase& test, std::vector<std::byte>* result = nullptr) {
  const std::string wrong = run_kv(runtime, test, result);
  CHECK(wrong == "");
}

const DType kFloats[] = {f32, f16, bf16, e4m3, e5m2};

/// A list of rows, one plane, to be read or written in token order.
KvView rows(std::int64_t content, DType dtype, std::int64_t heads = 1) {
  return {.axes = heads == 1 ? "N C" : "N H C", .dtype = dtype, .heads = heads, .content = content};
}

KvScale table(const char* axes, bool inverted = false, std::int64_t first = 0) {
  return {.kind = KvScaleKind::table, .first = first, .axes = axes, .inverted = inverted};
}

KvScale stored(std::int64_t group, std::int64_t offset, KvScaleType type = KvScaleType::f32,
               std::int64_t view = 0) {
  return {.kind = KvScaleKind::stored, .group = group, .type = type, .view = view, .offset = offset};
}

/// Rows of bf16 with groups of zeros, of tiny and of huge values, and some that are no numbers.
std::vector<std::byte> difficult_rows(std::size_t elements, bool finite) {
  std::vector<std::byte> image(elements * 2);
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < elements; ++i) {
    const std::size_t group = i / 128;
    float value = normal(random);
    if (group % 5 == 1) value = 0;
    if (group % 5 == 2) value *= 1e-38f;
    if (group % 5 == 3) value *= 1e37f;
    if (!finite && i % 997 == 5) value = std::nanf("");
    if (!finite && i % 997 == 300) value = -std::numeric_limits<float>::infinity();
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const auto upper = static_cast<std::uint16_t>(bits >> 16);
    std::memcpy(image.data() + 2 * i, &upper, 2);
  }
  return image;
}

/// The row of 656 bytes: 512 e4m3, 4 scales, 64 bf16.
KvScatterSpec latent_rows(const KvScale& scale) {
  KvScatterSpec spec{
      .src = {rows(576, bf16)},
      .dst = {{.axes = "B N C", .dtype = u8, .block_size = 4, .content = 656}},
      .dst_index = {.kind = KvIndexKind::slots, .dtype = i64},
      .segments = {
          {.count = 512, .src_dtype = bf16, .dst_dtype = e4m3, .dst_scale = scale},
          {.src_offset = 1024, .dst_offset = 528, .count = 64, .src_dtype = bf16, .dst_dtype = bf16}}};
  return spec;
}

}  // namespace

TEST_CASE("kv: casts between all types") {
  on_every_target([](Runtime& runtime) {
    for (const DType from : kFloats) {
      for (const DType to : kFloats) {
        if (from == to) continue;
        // 24: three packs of eight; 27: one element at a time.
        for (const std::int64_t content : {24, 27}) {
          if (content == 27 && from != bf16 && to != bf16) continue;
          KvScatterSpec spec{
              .src = {rows(content, from, 2)},
              .dst = {{.axes = "B H N C", .dtype = to, .block_size = 4, .heads = 2, .content = content}},
              .dst_index = {.kind = KvIndexKind::slots},
              .segments = {{}}};
          KvCase test{.spec = spec, .tokens = 9};
          test.dst[0].blocks = 4;
          test.dst_map.index = {3, 0, -1, 15, 7, 6, 9, 10, 2};
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("kv: scales given per tensor, layer, plane and head") {
  on_every_target([](Runtime& runtime) {
    const KvShape wide{.layers = 2, .heads = 3, .content = 16};
    const KvShape narrow{.layers = 2, .heads = 3, .content = 16, .dtype = e4m3};
    std::vector<float> scales;
    for (int i = 0; i < 16; ++i) scales.push_back(0.013f * static_cast<float>(1 + i));
    for (const char* axes : {"", "H", "L", "P", "H L", "L P H"}) {
      for (const bool inverted : {false, true}) {
        KvScatterSpec to{.src = {object("P L N H C", wide)},
                         .dst = {paged("B P H N C", narrow)},
                         .dst_index = {.kind = KvIndexKind::slots},
                         .segments = {{.dst_scale = table(axes, inverted, 2)}}};
        KvCase test{.spec = to, .tokens = 6, .scales = scales};
        test.dst[0].blocks = 2;
        test.dst_map.index = distinct(6, 10);
        check(runtime, test);
        KvGatherSpec from{.src = {paged("P B N H C", narrow)},
                          .dst = {object("P L N H C", wide)},
                          .src_index = {.kind = KvIndexKind::slots},
                          .segments = {{.src_scale = table(axes, inverted, 2)}}};
        KvCase back{.spec = from, .tokens = 6, .scales = scales};
        back.src[0].blocks = 2;
        back.src_map.index = distinct(6, 10);
        check(runtime, back);
      }
    }
    // From one fp8 to the other, by two scales.
    KvGatherSpec both{.src = {rows(40, e5m2)},
                      .dst = {rows(40, e4m3)},
                      .segments = {{.src_scale = table("", false, 3), .dst_scale = table("", true, 1)}}};
    check(runtime, {.spec = both, .tokens = 5, .scales = scales});
  });
}

TEST_CASE("kv: keys and values of their own scales into content in pieces") {
  on_every_target([](Runtime& runtime) {
    const auto cache = [](const char* axes, std::int64_t split) {
      return KvView{.axes = axes, .dtype = e4m3, .block_size = 4, .heads = 2, .content = 32, .split = split};
    };
    KvScatterSpec spec{.src = {rows(32, bf16, 2), rows(32, bf16, 2)},
                       .dst = {cache("B H Cx N x", 16), cache("B H C N", 0)},
                       .dst_index = {.kind = KvIndexKind::slots, .dtype = i64},
                       .segments = {{.dst_scale = table("", false, 0)},
                                    {.src_view = 1, .dst_view = 1, .dst_scale = table("", false, 1)}}};
    KvCase test{.spec = spec, .tokens = 7, .scales = {0.02f, 0.05f}};
    test.dst[0].blocks = 3;
    test.dst_map.index = {3, 11, -1, 0, 7, 8, 1};
    check(runtime, test);
  });
}

TEST_CASE("kv: scales written beside the values and read back") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {e4m3, e5m2}) {
      for (const KvScaleType type : {KvScaleType::f32, KvScaleType::ue8m0}) {
        for (const std::int64_t group : {16, 32, 64, 128, 0}) {
          const std::int64_t content = group == 0 ? 200 : 256;
          const std::int64_t row = content + 64;
          KvScatterSpec to{.src = {rows(content, bf16)},
                           .dst = {rows(row, u8)},
                           .segments = {{.dst_dtype = dtype, .dst_scale = stored(group, content, type)}}};
          KvCase test{.spec = to, .tokens = 6};
          test.src[0].image = difficult_rows(static_cast<std::size_t>(6 * content), true);
          std::vector<std::byte> quantised;
          check(runtime, test, &quantised);
          KvGatherSpec from{
              .src = {rows(row, u8)},
              .dst = {rows(content, f32)},
              .segments = {
                  {.count = content, .src_dtype = dtype, .src_scale = stored(group, content, type)}}};
          KvCase back{.spec = from, .tokens = 6};
          back.src[0].image = quantised;
          check(runtime, back);
        }
      }
    }
  });
}

TEST_CASE("kv: latent rows of 656 bytes, quantised and back") {
  on_every_target([](Runtime& runtime) {
    KvScale scale = stored(128, 512);
    for (const double floor : {0.0, 448 * 0x1p-126}) {
      scale.amax_floor = floor;
      KvCase test{.spec = latent_rows(scale), .tokens = 11};
      test.dst[0].blocks = 4;
      test.dst_map.index = {3, 0, -1, 15, 7, 6, 9, 10, 2, 16, 1};
      test.src[0].image = difficult_rows(11 * 576, true);
      std::vector<std::byte> pages;
      check(runtime, test, &pages);
      KvGatherSpec back{
          .src = latent_rows(scale).dst,
          .dst = {rows(576, bf16)},
          .src_index = {.kind = KvIndexKind::block_table},
          .segments = {{.count = 512, .src_dtype = e4m3, .src_scale = stored(128, 512)},
                       {.src_offset = 528, .dst_offset = 1024, .count = 64, .src_dtype = bf16}}};
      KvCase read{.spec = back, .tokens = 9, .has_nans = true};
      read.src[0].blocks = 4;
      read.src[0].image = pages;
      read.src_map = {.index = {3, 1, 0, 2}, .offsets = {0, 2, 2, 9}, .table_width = 2};
      read.src_map.index = {3, 1, 0, 0, 2, 1};
      check(runtime, read);
    }
  });
}

TEST_CASE("kv: the indexer's pages, scales behind the values of a block") {
  on_every_target([](Runtime& runtime) {
    const KvView values{
        .axes = "B N C", .strides = {8 * 132, 128, 0}, .dtype = e4m3, .block_size = 8, .content = 128};
    const KvView scales{.axes = "B N C",
                        .base = KvBase::shared,
                        .strides = {8 * 132, 4, 0},
                        .dtype = f32,
                        .block_size = 8,
                        .content = 1,
                        .offset = 8 * 128};
    using enum KvScaleType;
    for (const KvScaleType type : {KvScaleType::f32, ue8m0, f32_power_of_two}) {
      KvScale scale = stored(128, 0, type, 1);
      scale.amax_floor = 1e-4;
      KvScatterSpec to{.src = {rows(128, bf16)},
                       .dst = {values, scales},
                       .dst_index = {.kind = KvIndexKind::slots, .dtype = i64},
                       .segments = {{.dst_scale = scale}}};
      KvCase test{.spec = to, .tokens = 12};
      test.dst[0].blocks = 3;
      test.dst_map.index = {3, 0, -1, 15, 7, 6, 9, 10, 2, 23, 1, 17};
      test.src[0].image = difficult_rows(12 * 128, true);
      std::vector<std::byte> pages;
      check(runtime, test, &pages);
      scale.amax_floor = 0;
      KvGatherSpec from{.src = {values, scales},
                        .dst = {rows(128, bf16)},
                        .src_index = {.kind = KvIndexKind::slots, .dtype = i64},
                        .segments = {{.src_scale = scale}}};
      KvCase back{.spec = from, .tokens = 12};
      back.src[0].blocks = 3;
      back.src[0].image = pages;
      back.src_map = test.dst_map;
      check(runtime, back);
    }
  });
}

TEST_CASE("kv: a scale per head in a view of its own, and rows that no pack fits") {
  on_every_target([](Runtime& runtime) {
    const KvView values{.axes = "B H N C", .dtype = e4m3, .block_size = 4, .heads = 3, .content = 33};
    const KvView scales{.axes = "B N H C", .dtype = f32, .block_size = 4, .heads = 3, .content = 1};
    KvScatterSpec spec{.src = {rows(33, f16, 3)},
                       .dst = {values, scales},
                       .dst_index = {.kind = KvIndexKind::slots},
                       .segments = {{.dst_scale = stored(0, 0, KvScaleType::f32, 1)}}};
    KvCase test{.spec = spec, .tokens = 6};
    test.dst[0].blocks = 3;
    test.dst_map.index = {3, 0, -1, 11, 7, 6};
    check(runtime, test);
  });
}

TEST_CASE("kv: what is no number stays none") {
  on_every_target([](Runtime& runtime) {
    KvCase test{.spec = latent_rows(stored(128, 512)), .tokens = 5, .has_nans = true};
    test.dst[0].blocks = 4;
    test.dst_map.index = {3, 0, 4, 15, 7};
    test.src[0].image = difficult_rows(5 * 576, false);
    check(runtime, test);
    for (const DType to : {f32, f16, e4m3, e5m2}) {
      KvGatherSpec cast{.src = {rows(576, bf16)}, .dst = {rows(576, to)}, .segments = {{}}};
      KvCase cast_test{.spec = cast, .tokens = 3, .has_nans = true};
      cast_test.src[0].image = difficult_rows(3 * 576, false);
      check(runtime, cast_test);
    }
  });
}
