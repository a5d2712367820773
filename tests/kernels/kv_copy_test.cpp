// kv_gather and kv_scatter: bytes through every view, on every device at hand.
#include <string>

#include "tests/kernels/kv_case.h"
#include "tests/kernels/kv_layouts.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const KvCase& test) {
  const std::string wrong = run_kv(runtime, test);
  CHECK(wrong == "");
}

/// A gather by slots, and the scatter back.
void check_both_ways(Runtime& runtime, const KvView& cache, const KvView& whole, Index tokens, Index blocks) {
  const Index slots = blocks * cache.block_size;
  const KvMap map{.index = distinct(tokens, slots, static_cast<std::uint32_t>(tokens + slots))};
  KvGatherSpec gather{.src = {cache}, .dst = {whole}};
  gather.src_index = {.kind = KvIndexKind::slots, .dtype = i64};
  KvCase test{.spec = gather, .tokens = tokens};
  test.src[0].blocks = blocks;
  test.src_map = map;
  check(runtime, test);
  KvScatterSpec scatter{.src = {whole}, .dst = {cache}};
  scatter.dst_index = {.kind = KvIndexKind::slots, .dtype = i32};
  KvCase back{.spec = scatter, .tokens = tokens};
  back.dst[0].blocks = blocks;
  back.dst_map = map;
  check(runtime, back);
}

}  // namespace

TEST_CASE("kv: every engine's layout to and from every object's") {
  on_every_target([](Runtime& runtime) {
    const KvView caches[] = {paged("B L P N H C", {}, KvBase::single),
                             paged("P B N H C"),
                             paged("B P N H C"),
                             paged("P B H N C"),
                             paged("B P H N C"),
                             paged("B L P H N C", {}, KvBase::single),
                             paged("B N H C", {}, KvBase::plane_layer),
                             paged("B H N P C"),
                             paged("B N H P C"),
                             object("N H C", {}, KvBase::plane_layer),
                             paged("B H L N P C", {}, KvBase::single),
                             paged("L H B N P C", {}, KvBase::single),
                             paged("L P B H N C", {}, KvBase::single)};
    const KvView objects[] = {object("P L N H C"), object("L P N H C"), object("N L P H C"),
                              object("N P H C", {}, KvBase::layer)};
    int number = 0;
    for (const KvView& cache : caches) {
      // All of the first object; one of the others each, in turn.
      check_both_ways(runtime, cache, objects[0], 23, 7);
      check_both_ways(runtime, cache, objects[1 + number++ % 3], 23, 7);
    }
  });
}

TEST_CASE("kv: pages of other sizes than blocks, head and content in pieces") {
  on_every_target([](Runtime& runtime) {
    // Keys in pieces of 16 bytes, values with slots innermost, as in vLLM's first kernels.
    KvView keys = paged("B H Cx N x", {}, KvBase::layer, 1);
    keys.split = 8;
    const KvView values = paged("B H C N", {}, KvBase::layer, 1);
    KvView wide_values = paged("B H Cx N x", {}, KvBase::layer, 1);
    wide_values.split = 4;
    const KvView whole = object("L N H C", {}, KvBase::single, 1);
    for (const KvView& cache : {keys, values, wide_values}) check_both_ways(runtime, cache, whole, 11, 3);
    // Pieces on both sides.
    KvGatherSpec both{.src = {keys}, .dst = {wide_values}};
    both.src_index.kind = KvIndexKind::blocks;
    KvCase test{.spec = both, .tokens = 9};
    test.src[0].blocks = 4;
    test.src_map.index = {3, 1};
    check(runtime, test);
    // A page of 15 slots is three blocks of 5.
    KvGatherSpec large_pages{.src = {paged("B P N H C")}, .dst = {object("P L N H C")}};
    large_pages.src_index = {.kind = KvIndexKind::blocks, .page_size = 15};
    KvCase paged_test{.spec = large_pages, .tokens = 28};
    paged_test.src[0].blocks = 9;
    paged_test.src_map.index = {2, 0};
    check(runtime, paged_test);
  });
}

TEST_CASE("kv: rows of any length, at any address") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t bytes : {1, 2, 3, 4, 6, 8, 12, 16, 17, 24, 33, 48, 132, 576, 656, 1152}) {
      const KvShape shape{.layers = 1, .heads = 1, .content = bytes, .block_size = 3, .dtype = u8};
      check_both_ways(runtime, paged("B N C", shape, KvBase::single, 1),
                      object("N C", shape, KvBase::single, 1), 7, 4);
    }
    // Memory that is aligned to less than the rows are.
    for (const int alignment : {1, 2, 4, 8, 16}) {
      KvView cache =
          paged("B N C", {.layers = 1, .heads = 1, .content = 160, .dtype = u8}, KvBase::single, 1);
      cache.alignment = alignment;
      const KvView whole =
          object("N C", {.layers = 1, .heads = 1, .content = 160, .dtype = u8}, KvBase::single, 1);
      KvGatherSpec spec{.src = {cache}, .dst = {whole}};
      spec.src_index.kind = KvIndexKind::slots;
      KvCase test{.spec = spec, .tokens = 9};
      test.src[0].blocks = 4;
      test.src[0].misaligned = alignment;
      test.src_map.index = distinct(9, 20);
      check(runtime, test);
    }
  });
}

TEST_CASE("kv: parts of rows at odd offsets") {
  on_every_target([](Runtime& runtime) {
    const KvShape from{.layers = 1, .heads = 2, .content = 61, .dtype = u8};
    const KvShape to{.layers = 1, .heads = 2, .content = 80, .dtype = u8};
    KvGatherSpec spec{.src = {paged("B N H C", from, KvBase::single, 1)},
                      .dst = {object("N H C", to, KvBase::single, 1)},
                      .segments = {{.src_offset = 3, .dst_offset = 0, .count = 13},
                                   {.src_offset = 16, .dst_offset = 32, .count = 32},
                                   {.src_offset = 0, .dst_offset = 77, .count = 1}}};
    spec.src_index.kind = KvIndexKind::slots;
    KvCase test{.spec = spec, .tokens = 9};
    test.src[0].blocks = 4;
    test.src_map.index = distinct(9, 20);
    check(runtime, test);
  });
}

TEST_CASE("kv: many heads, and long rows in parts") {
  on_every_target([](Runtime& runtime) {
    check_both_ways(runtime, paged("B P H N C", {.layers = 1, .heads = 70, .content = 16}, KvBase::single),
                    object("P N H C", {.layers = 1, .heads = 70, .content = 16}), 6, 2);
    // Whole blocks, by pairs: more than a tile each.
    for (const std::int64_t bytes : {70000, 131072}) {
      const KvShape shape{.layers = 2, .heads = 1, .content = bytes, .block_size = 1, .dtype = u8};
      const KvView blocks = paged("B C", shape, KvBase::layer, 1);
      KvGatherSpec spec{.src = {blocks}, .dst = {blocks}};
      spec.src_index = {.kind = KvIndexKind::pairs, .dtype = i64};
      spec.dst_index = spec.src_index;
      KvCase test{.spec = spec, .tokens = 2};
      test.src[0].blocks = 3;
      test.dst[0].blocks = 4;
      test.src_map.index = {2, 0, 0, 3};
      test.dst_map.index = test.src_map.index;
      check(runtime, test);
    }
  });
}

TEST_CASE("kv: some of the heads, layers and planes") {
  on_every_target([](Runtime& runtime) {
    // Of a cache of 6 heads, the second half of each layer's, to a cache that has only those.
    const KvShape all{.layers = 4, .heads = 6};
    const KvShape half{.layers = 2, .heads = 3};
    for (const char* axes : {"B P N H C", "B P H N C"}) {
      KvScatterSpec spec{
          .src = {object("P L N H C", all)}, .dst = {paged(axes, half)}, .planes = 1, .heads = 3};
      spec.dst_index.kind = KvIndexKind::slots;
      KvCase test{.spec = spec, .tokens = 7, .first_token = 2};
      test.dst[0].blocks = 3;
      test.dst_map.index = distinct(7, 15);
      test.layers = 2;
      test.src_first_layer = 2;
      test.src_first_plane = 1;
      test.src_first_head = 3;
      check(runtime, test);
      test.layers = 1;
      test.dst_first_layer = 1;
      test.dst_first_plane = 1;
      test.src_first_head = 1;
      test.max_blocks = 1;
      check(runtime, test);
    }
  });
}

TEST_CASE("kv: objects in chunks, the last one short") {
  on_every_target([](Runtime& runtime) {
    for (const KvBase base : {KvBase::chunk, KvBase::chunk_layer}) {
      for (const int how : {0, 1, 2}) {  // a table in memory, equal distances, pointers by value
        for (const bool is_short : {false, true}) {
          KvView chunks = paged(base == KvBase::chunk ? "P L N H C" : "P N H C", {.block_size = 8}, base);
          chunks.short_tail = is_short;
          chunks.pointers = how == 2 ? 16 : 0;
          KvGatherSpec spec{.src = {paged("P B N H C")}, .dst = {chunks}};
          spec.src_index.kind = KvIndexKind::slots;
          KvCase test{.spec = spec, .tokens = 21};
          test.src[0].blocks = 6;
          test.src[0].distant = how == 1;
          test.src_map.index = distinct(21, 30);
          test.dst[0].last_slots = is_short ? 5 : 0;
          test.dst[0].distant = how == 1;
          check(runtime, test);
          KvScatterSpec back{.src = {chunks}, .dst = {paged("P B N H C")}};
          back.dst_index.kind = KvIndexKind::slots;
          KvCase back_test{.spec = back, .tokens = 21, .src = test.dst, .dst = test.src};
          back_test.dst_map = test.src_map;
          check(runtime, back_test);
        }
      }
    }
  });
}

TEST_CASE("kv: strides fixed by the spec and given with the launch") {
  on_every_target([](Runtime& runtime) {
    KvView fixed = paged("B P N H C", {}, KvBase::layer);
    fixed.strides = {4096, 0, 256, 0, 0};
    check_both_ways(runtime, fixed, object("P L N H C"), 9, 3);
    KvView per_launch = paged("B P N H C", {}, KvBase::layer);
    per_launch.strides = {-1, -1, -1, -1, 0};
    for (const bool is_swapped : {false, true}) {
      KvScatterSpec spec{.src = {object("P L N H C")}, .dst = {per_launch}};
      spec.dst_index.kind = KvIndexKind::slots;
      KvCase test{.spec = spec, .tokens = 9};
      test.dst[0].blocks = 4;
      // Heads outside slots, or inside.
      test.dst[0].slot_step = is_swapped ? 96 : 288;
      test.dst[0].head_step = is_swapped ? 480 : 80;
      test.dst[0].plane_step = 1472;
      test.dst[0].block_step = 3008;
      test.dst_map.index = distinct(9, 20);
      check(runtime, test);
    }
  });
}

TEST_CASE("kv: several views of one memory") {
  on_every_target([](Runtime& runtime) {
    // A page of the indexer: 8 rows of 128 values, then their scales.
    KvView values{
        .axes = "B N C", .strides = {8 * 132, 128, 0}, .dtype = u8, .block_size = 8, .content = 128};
    KvView scales{.axes = "B N C",
                  .base = KvBase::shared,
                  .strides = {8 * 132, 4, 0},
                  .dtype = f32,
                  .block_size = 8,
                  .content = 1,
                  .offset = 8 * 128};
    const KvView dense{.axes = "N C", .dtype = u8, .content = 128};
    const KvView dense_scales{.axes = "N C", .dtype = f32, .content = 1};
    KvGatherSpec spec{.src = {values, scales},
                      .dst = {dense, dense_scales},
                      .segments = {{}, {.src_view = 1, .dst_view = 1}}};
    spec.src_index = {.kind = KvIndexKind::block_table};
    KvCase test{.spec = spec, .tokens = 21};
    test.src[0].blocks = 6;
    test.src_map = {.index = {4, 1, 0, 3, 5, 2}, .offsets = {0, 12, 12, 21}, .table_width = 2};
    check(runtime, test);
  });
}

TEST_CASE("kv: memory on the host") {
  on_every_target([](Runtime& runtime) {
    KvView whole = object("P L N H C");
    whole.place = KvPlace::host;
    check_both_ways(runtime, paged("P B N H C"), whole, 19, 5);
    const KvShape odd{.layers = 1, .heads = 1, .content = 36, .dtype = u8};
    KvView words = object("N C", odd, KvBase::single, 1);
    words.place = KvPlace::host;
    check_both_ways(runtime, paged("B N C", odd, KvBase::single, 1), words, 9, 3);
  });
}
