// kv_gather and kv_scatter: how tokens find their slots, and what becomes of those that do not.
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

const KvShape kSmall{.layers = 2, .heads = 2, .content = 24};

KvGatherSpec gather(KvIndexKind kind, DType dtype = i32) {
  KvGatherSpec spec{.src = {paged("B P N H C", kSmall)}, .dst = {object("P L N H C", kSmall)}};
  spec.src_index = {.kind = kind, .dtype = dtype};
  return spec;
}

KvScatterSpec scatter(KvIndexKind kind, DType dtype = i32) {
  KvScatterSpec spec{.src = {object("P L N H C", kSmall)}, .dst = {paged("B P N H C", kSmall)}};
  spec.dst_index = {.kind = kind, .dtype = dtype};
  return spec;
}

/// Both directions with the same map on the paged side.
void check_map(Runtime& runtime, KvIndexKind kind, const KvMap& map, Index tokens, Index blocks) {
  for (const DType dtype : {i32, i64}) {
    for (const KvBadIndex policy : {KvBadIndex::skip, KvBadIndex::report}) {
      KvGatherSpec from = gather(kind, dtype);
      from.negative = from.bounds = policy;
      KvCase test{.spec = from, .tokens = tokens};
      test.src[0].blocks = blocks;
      test.src_map = map;
      check(runtime, test);
      KvScatterSpec to = scatter(kind, dtype);
      to.negative = to.bounds = policy;
      to.duplicates = policy == KvBadIndex::report ? KvDuplicates::report : KvDuplicates::last;
      KvCase back{.spec = to, .tokens = tokens};
      back.dst[0].blocks = blocks;
      back.dst_map = map;
      check(runtime, back);
    }
  }
}

}  // namespace

TEST_CASE("kv: every index map, with entries that are no slots") {
  on_every_target([](Runtime& runtime) {
    using enum KvIndexKind;
    check_map(runtime, slots, {.index = {3, -1, 7, 19, 0, 20, 12, -9, 1000000}}, 9, 4);
    for (const Index negative : {-1, -2, -9}) check_map(runtime, slots, {.index = {negative}}, 1, 4);
    check_map(runtime, blocks, {.index = {2, -1, 0, 4}, .start = 3}, 16, 4);
    check_map(runtime, pairs, {.index = {2, 2, -1, 0, 0, 1, 4, 3}}, 18, 4);
    // Lengths 7, 0, 6 from positions 4, 0, 9 on; the second row of the table has too few entries.
    check_map(runtime, block_table,
              {.index = {5, 0, 3, 1, 1, 1, 2, 6, 4},
               .offsets = {1, 8, 8, 14},
               .positions = {4, 0, 9},
               .table_width = 3},
              16, 7);
    check_map(runtime, block_table, {.index = {2, 0, -1, 1}, .offsets = {0, 8, 13}, .table_width = 2}, 13, 3);
    // Padded rows, a sequence that does not exist, a position behind the last page.
    check_map(runtime, pages,
              {.index = {4, 2, 0, 5, 1},
               .offsets = {0, 2, 2, 5},
               .rows = {0, 0, 0, 2, 2, 2, -1, 3, 0, 2, 1},
               .positions = {0, 4, 5, 0, 7, 14, 3, 0, 10, -1, 0}},
              11, 6);
  });
}

TEST_CASE("kv: pages that the offsets promise and nobody lists do not exist") {
  on_every_target([](Runtime& runtime) {
    KvMap map{.index = {4, 2, 0},
              .offsets = {0, 2, 9},
              .rows = {0, 1, 1, 1, 0, 1},
              .positions = {5, 3, 4, 27, 8, 0},
              .entries = 3};
    check_map(runtime, KvIndexKind::pages, map, 6, 6);
    map.entries = 2;
    check_map(runtime, KvIndexKind::pages, map, 6, 6);
  });
}

TEST_CASE("kv: 64-bit indices beyond 32 bits do not exist, and do not wrap") {
  on_every_target([](Runtime& runtime) {
    for (const KvIndexKind kind : {KvIndexKind::slots, KvIndexKind::blocks}) {
      KvGatherSpec spec = gather(kind, i64);
      spec.bounds = KvBadIndex::report;
      KvCase test{.spec = spec, .tokens = 3};
      test.src[0].blocks = 4;
      test.src_map.index = {Index{1} << 32, Index{1} << 62, 1};
      if (kind == KvIndexKind::blocks) test.src_map.index = {Index{0x7FFFFFFFFFFFFFFF}};
      check(runtime, test);
    }
  });
}

TEST_CASE("kv: maps on both sides") {
  on_every_target([](Runtime& runtime) {
    KvGatherSpec spec{.src = {paged("B P N H C", kSmall)}, .dst = {paged("P B H N C", kSmall)}};
    spec.src_index = {.kind = KvIndexKind::slots};
    spec.dst_index = {.kind = KvIndexKind::slots, .dtype = i64};
    KvCase test{.spec = spec, .tokens = 7};
    test.src[0].blocks = 4;
    test.dst[0].blocks = 3;
    test.src_map.index = {3, 19, -1, 4, 5, 0, 3};
    test.dst_map.index = {14, 0, 3, -2, 15, 7, 2};
    check(runtime, test);
  });
}

TEST_CASE("kv: of tokens with the same destination the last is moved") {
  on_every_target([](Runtime& runtime) {
    for (const KvDuplicates duplicates : {KvDuplicates::last, KvDuplicates::report}) {
      KvScatterSpec spec = scatter(KvIndexKind::slots);
      spec.duplicates = duplicates;
      KvCase test{.spec = spec, .tokens = 700};
      test.dst[0].blocks = 30;
      for (Index i = 0; i < 700; ++i) test.dst_map.index.push_back(i * 37 % 149 - 2);
      check(runtime, test);
      // None twice, or only one that is skipped.
      test.tokens = 3;
      test.dst_map.index = {5, -1, -1};
      check(runtime, test);
      // The source's slot does not exist, so that the first one has the destination.
      spec.src_index.kind = KvIndexKind::slots;
      KvCase invalid{.spec = spec, .tokens = 3};
      invalid.src[0].blocks = 3;
      invalid.dst[0].blocks = 2;
      invalid.src_map.index = {1, -1, 2};
      invalid.dst_map.index = {6, 6, 3};
      check(runtime, invalid);
    }
  });
}

TEST_CASE("kv: tokens of several blocks claim the same destinations") {
  on_every_target([](Runtime& runtime) {
    // As many as take three blocks.
    const Index tokens = runtime.target().backend == Backend::cpu ? 20000 : 700;
    KvScatterSpec spec{.src = {{.axes = "N C", .dtype = u8, .content = 3}},
                       .dst = {{.axes = "N C", .dtype = u8, .content = 3}}};
    spec.dst_index = {.kind = KvIndexKind::slots};
    for (const KvDuplicates duplicates : {KvDuplicates::last, KvDuplicates::report}) {
      spec.duplicates = duplicates;
      KvCase test{.spec = spec, .tokens = tokens};
      test.dst[0].blocks = 401;
      for (Index i = 0; i < tokens; ++i) test.dst_map.index.push_back(i * 7919 % 409 - 4);
      check(runtime, test);
      test.max_blocks = 2;
      check(runtime, test);
      // None twice.
      test.dst[0].blocks = tokens;
      test.dst_map.index = distinct(tokens, tokens);
      check(runtime, test);
    }
  });
}

TEST_CASE("kv: no tokens, and all before the first") {
  on_every_target([](Runtime& runtime) {
    KvCase none{.spec = gather(KvIndexKind::identity), .tokens = 0};
    none.src[0].blocks = none.dst[0].blocks = 3;
    check(runtime, none);
    KvCase skipped{.spec = gather(KvIndexKind::identity), .tokens = 3, .first_token = 3};
    check(runtime, skipped);
  });
}

TEST_CASE("kv: a quota of blocks does all the work") {
  on_every_target([](Runtime& runtime) {
    for (const Index quota : {1, 3}) {
      KvScatterSpec spec = scatter(KvIndexKind::slots);
      KvCase test{.spec = spec, .tokens = 150};
      test.dst[0].blocks = 40;
      test.dst_map.index = distinct(150, 200);
      test.max_blocks = quota;
      check(runtime, test);
    }
  });
}
