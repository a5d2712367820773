// The reference of kv_gather and kv_scatter, against moves worked out by hand.
#include "tests/reference/kv_move.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "tests/support/catch.h"

using namespace lathe;

namespace {

std::vector<std::uint8_t> counting(std::size_t count) {
  std::vector<std::uint8_t> values(count);
  std::iota(values.begin(), values.end(), std::uint8_t{0});
  return values;
}

}  // namespace

TEST_CASE("kv reference: slots of a cache with slots inside planes") {
  // [B 2, P 2, N 2, C 3]: slot 3 is block 1, slot 1 in it; plane 1 begins at 12 + 6.
  const KvGatherSpec spec{
      .src = {{.axes = "B P N C", .dtype = u8, .planes = 2, .block_size = 2, .content = 3}},
      .dst = {{.axes = "N P C", .dtype = u8, .planes = 2, .content = 3}},
      .src_index = {.kind = KvIndexKind::slots}};
  const auto cache = counting(24);
  std::vector<std::uint8_t> object(18, 0xEE);
  const std::int32_t slots[] = {3, -1, 0};
  KvMoveArgs args{.tokens = 3};
  args.src[0] = {.base = cache.data(), .blocks = 2};
  args.dst[0] = {.base = object.data(), .blocks = 3};
  args.src_index.index = slots;
  CHECK(reference::kv_move(reference::KvMove(spec), args) == kKvNegativeIndex);
  CHECK(object == std::vector<std::uint8_t>{15, 16, 17, 21, 22, 23,              // slot 3
                                            0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE,  // skipped
                                            0, 1, 2, 6, 7, 8});                  // slot 0
}

TEST_CASE("kv reference: content in pieces") {
  // Keys [H 2, Cx 2, N 3, x 2] of u8 in one block: head 1, content 3 of slot 2 is at 12 + 6 + 4 + 1.
  const KvScatterSpec spec{
      .src = {{.axes = "N H C", .dtype = u8, .heads = 2, .content = 4}},
      .dst = {{.axes = "B H Cx N x", .dtype = u8, .block_size = 3, .heads = 2, .content = 4, .split = 2}},
      .dst_index = {.kind = KvIndexKind::slots}};
  const auto rows = counting(8);
  std::vector<std::uint8_t> cache(24, 0xEE);
  const std::int32_t slots[] = {2};
  KvMoveArgs args{.tokens = 1};
  args.src[0] = {.base = rows.data(), .blocks = 1};
  args.dst[0] = {.base = cache.data(), .blocks = 1};
  args.dst_index.index = slots;
  CHECK(reference::kv_move(reference::KvMove(spec), args) == 0);
  std::vector<std::uint8_t> expected(24, 0xEE);
  expected[4] = 0, expected[5] = 1, expected[10] = 2, expected[11] = 3;
  expected[16] = 4, expected[17] = 5, expected[22] = 6, expected[23] = 7;
  CHECK(cache == expected);
}

TEST_CASE("kv reference: a short chunk is packed to its slots") {
  // Chunks [L 2, N 2, C 1]; the last has one slot, so that its second layer begins at 1, not 2.
  const KvGatherSpec spec{.src = {{.axes = "N L C", .dtype = u8, .layers = 2, .content = 1}},
                          .dst = {{.axes = "L N C",
                                   .base = KvBase::chunk,
                                   .dtype = u8,
                                   .layers = 2,
                                   .block_size = 2,
                                   .content = 1,
                                   .short_tail = true}}};
  const auto rows = counting(6);
  std::vector<std::uint8_t> first(4, 0xEE);
  std::vector<std::uint8_t> last(4, 0xEE);
  void* const chunks[] = {first.data(), last.data()};
  KvMoveArgs args{.tokens = 3};
  args.src[0] = {.base = rows.data(), .blocks = 3};
  args.dst[0] = {.table = chunks, .blocks = 2, .last_slots = 1};
  CHECK(reference::kv_move(reference::KvMove(spec), args) == 0);
  CHECK(first == std::vector<std::uint8_t>{0, 2, 1, 3});
  CHECK(last == std::vector<std::uint8_t>{4, 5, 0xEE, 0xEE});
}

TEST_CASE("kv reference: the last of two tokens has the slot, and sequences have a block table") {
  const KvGatherSpec spec{.src = {{.axes = "B N C", .dtype = u8, .block_size = 2, .content = 1}},
                          .dst = {{.axes = "N C", .dtype = u8, .content = 1}},
                          .src_index = {.kind = KvIndexKind::block_table},
                          .dst_index = {.kind = KvIndexKind::slots}};
  const auto cache = counting(8);
  std::vector<std::uint8_t> rows(4, 0xEE);
  const std::int32_t table[] = {3, 0, 1, 2};
  const std::int32_t offsets[] = {0, 2, 4};
  const std::int32_t starts[] = {1, 0};
  const std::int32_t slots[] = {0, 1, 0, 4};
  KvMoveArgs args{.tokens = 4};
  args.src[0] = {.base = cache.data(), .blocks = 4};
  args.dst[0] = {.base = rows.data(), .blocks = 4};
  args.src_index = {
      .index = table, .offsets = offsets, .positions = starts, .table_width = 2, .sequences = 2};
  args.dst_index.index = slots;
  CHECK(reference::kv_move(reference::KvMove(spec), args) == (kKvDuplicateSlot | kKvIndexTooLarge));
  // Token 0: position 1 of sequence 0, block 3: 7. Token 1: position 2, block 0: 0. Token 2: block 1: 2.
  CHECK(rows == std::vector<std::uint8_t>{2, 0, 0xEE, 0xEE});
}

TEST_CASE("kv reference: pages of sequences, of which fewer are listed than promised") {
  // Pages 2 and 0 for the sequence; its third page, and the sequence 1, do not exist.
  const KvGatherSpec spec{.src = {{.axes = "B N C", .dtype = u8, .block_size = 2, .content = 1}},
                          .dst = {{.axes = "N C", .dtype = u8, .content = 1}},
                          .src_index = {.kind = KvIndexKind::pages}};
  const auto cache = counting(6);
  std::vector<std::uint8_t> object(5, 0xEE);
  const std::int32_t pages[] = {2, 0};
  const std::int32_t offsets[] = {0, 3};
  const std::int32_t rows[] = {0, 0, 0, 1, 0};
  const std::int32_t positions[] = {1, 2, 4, 0, 3};
  KvMoveArgs args{.tokens = 5};
  args.src[0] = {.base = cache.data(), .blocks = 3};
  args.dst[0] = {.base = object.data(), .blocks = 5};
  args.src_index = {
      .index = pages, .offsets = offsets, .rows = rows, .positions = positions, .sequences = 1, .entries = 2};
  CHECK(reference::kv_move(reference::KvMove(spec), args) == kKvIndexTooLarge);
  CHECK(object == std::vector<std::uint8_t>{5, 0, 0xEE, 0xEE, 1});
}

TEST_CASE("kv reference: written scales") {
  // Two groups of 16: the first's largest magnitude is 896, twice what e4m3 holds; the second is zeros.
  KvGatherSpec spec{.src = {{.axes = "N C", .dtype = f32, .content = 32}},
                    .dst = {{.axes = "N C", .dtype = u8, .content = 40}},
                    .segments = {{.dst_dtype = e4m3}}};
  spec.segments[0].dst_scale = {.kind = KvScaleKind::stored, .group = 16, .offset = 32};
  std::vector<float> values(32, 0.0f);
  values[0] = -896, values[1] = 2, values[15] = 1;
  std::vector<std::uint8_t> row(40, 0xEE);
  KvMoveArgs args{.tokens = 1};
  args.src[0] = {.base = values.data(), .blocks = 1};
  args.dst[0] = {.base = row.data(), .blocks = 1};
  CHECK(reference::kv_move(reference::KvMove(spec), args) == 0);
  float scales[2];
  std::memcpy(scales, row.data() + 32, sizeof scales);
  CHECK(scales[0] == 2.0f);
  CHECK(scales[1] == 0.0f);
  CHECK(row[0] == 0xFE);   // -448
  CHECK(row[1] == 0x38);   // 1
  CHECK(row[15] == 0x30);  // 0.5
  CHECK(row[16] == 0);
  // As a power of two: 3 becomes 4.
  values[0] = 448 * 3;
  spec.segments[0].dst_scale.type = KvScaleType::ue8m0;
  CHECK(reference::kv_move(reference::KvMove(spec), args) == 0);
  CHECK(row[32] == 129);
  CHECK(row[33] == 0);
  CHECK(row[1] == 0x30);  // 2 / 4
  // And back: stored * scale.
  KvScatterSpec back{.src = {{.axes = "N C", .dtype = u8, .content = 40}},
                     .dst = {{.axes = "N C", .dtype = f32, .content = 32}},
                     .segments = {{.count = 32, .src_dtype = e4m3, .dst_dtype = f32}}};
  back.segments[0].src_scale = {
      .kind = KvScaleKind::stored, .group = 16, .type = KvScaleType::ue8m0, .offset = 32};
  KvMoveArgs back_args{.tokens = 1};
  back_args.src[0] = {.base = row.data(), .blocks = 1};
  back_args.dst[0] = {.base = values.data(), .blocks = 1};
  CHECK(reference::kv_move(reference::KvMove(back), back_args) == 0);
  CHECK(values[1] == 2.0f);
  CHECK(values[15] == 1.0f);
}

TEST_CASE("kv reference: scales of a table, per layer and head") {
  KvGatherSpec spec{.src = {{.axes = "L N H C", .dtype = f32, .layers = 2, .heads = 2, .content = 1}},
                    .dst = {{.axes = "L N H C", .dtype = f32, .layers = 2, .heads = 2, .content = 1}},
                    .segments = {{}}};
  spec.segments[0].dst_scale = {.kind = KvScaleKind::table, .table = 1, .first = 1, .axes = "H L"};
  const float values[] = {8, 8, 8, 8};
  float result[4] = {};
  const float scales[] = {99, 1, 2, 4, 8};  // head 0: layers 0 and 1; head 1
  KvMoveArgs args{.tokens = 1};
  args.src[0] = {.base = values, .blocks = 1};
  args.dst[0] = {.base = result, .blocks = 1};
  args.scales[1] = scales;
  CHECK(reference::kv_move(reference::KvMove(spec), args) == 0);
  CHECK(result[0] == 8);
  CHECK(result[1] == 2);
  CHECK(result[2] == 4);
  CHECK(result[3] == 1);
}

TEST_CASE("kv reference: rotations") {
  // One pair, which turns by one radian per position: (1, 0) becomes (cos, sin).
  KvGatherSpec spec{.src = {{.axes = "N C", .dtype = f32, .content = 3}},
                    .dst = {{.axes = "N C", .dtype = f32, .content = 3}},
                    .segments = {{.rotate = KvRotate::forward, .rotate_offset = 1}},
                    .rotation = {.dim = 2}};
  const float values[] = {7, 1, 0, 7, 0, 2};
  const std::int64_t old_positions[] = {5, 9};
  const std::int64_t new_positions[] = {2, 8};
  float result[6] = {};
  KvMoveArgs args{.tokens = 2, .old_positions = old_positions, .new_positions = new_positions};
  args.src[0] = {.base = values, .blocks = 2};
  args.dst[0] = {.base = result, .blocks = 2};
  const auto run = [&] { CHECK(reference::kv_move(reference::KvMove(spec), args) == 0); };
  run();
  CHECK(result[0] == 7);
  CHECK(result[1] == static_cast<float>(-0.4161468365471424));  // cos 2
  CHECK(result[2] == static_cast<float>(0.9092974268256817));   // sin 2
  // From 5 to 2 and from 9 to 8: by -3 and by -1.
  spec.segments[0].rotate = KvRotate::delta;
  run();
  CHECK(result[1] == static_cast<float>(-0.9899924966004454));     // cos 3
  CHECK(result[2] == static_cast<float>(-0.1411200080598672));     // -sin 3
  CHECK(result[4] == static_cast<float>(2 * 0.8414709848078965));  // 2 sin 1
  CHECK(result[5] == static_cast<float>(2 * 0.5403023058681398));  // 2 cos 1
  // By a distance for all; the factor of scaled frequencies counts forward only.
  args.old_positions = args.new_positions = nullptr;
  args.position_shift = 2;
  spec.rotation.frequencies.attention_factor = 3.0;
  run();
  CHECK(result[1] == static_cast<float>(-0.4161468365471424));
  spec.segments[0].rotate = KvRotate::forward;
  run();
  CHECK(result[1] == static_cast<float>(3 * -0.4161468365471424));
}
