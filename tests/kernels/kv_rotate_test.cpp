// kv_gather and kv_scatter: keys that are rotated on their way, on every device at hand.
#include <cmath>
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

/// Keys of an object's plane 0 are turned, values copied, into a cache's slots.
KvScatterSpec keys_to_cache(const KvShape& shape, KvRotation rotation, KvRotate rotate = KvRotate::delta,
                            std::int64_t offset = 0) {
  KvScatterSpec spec{.src = {object("P L N H C", shape)},
                     .dst = {paged("P B N H C", shape)},
                     .dst_index = {.kind = KvIndexKind::slots, .dtype = i64},
                     .segments = {{.plane = 0, .rotate = rotate, .rotate_offset = offset}, {.plane = 1}},
                     .rotation = rotation};
  return spec;
}

KvCase tokens_of(const KvScatterSpec& spec) {
  KvCase test{.spec = spec, .tokens = 9, .is_rotated = true};
  test.dst[0].blocks = 4;
  test.dst_map.index = distinct(9, 20);
  test.dst_map.index[3] = -1;
  test.old_positions = {0, 1, 2, 3, 4000, 5, 131071, 7, 1048576};
  test.new_positions = {9, 1, 700, 3, 4, 131072, 6, 0, 1048575};
  return test;
}

}  // namespace

TEST_CASE("kv: keys are turned from old to new positions, values are not") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {bf16, f16, f32}) {
      for (const RopePairs pairs : {RopePairs::half, RopePairs::interleaved}) {
        // Packs of eight and four, single elements; all of a head, or a part at its end or in its middle.
        for (const std::int64_t content : {64, 40, 18}) {
          for (const std::int64_t offset : {0, 8}) {
            const std::int64_t dim = offset == 0 ? content : content == 18 ? 10 : 16;
            if (dtype != bf16 && content == 40) continue;
            const KvShape shape{.layers = 2, .heads = 2, .content = content, .dtype = dtype};
            const KvRotation rotation{.dim = dim, .pairs = pairs, .position_dtype = offset == 0 ? i64 : i32};
            check(runtime, tokens_of(keys_to_cache(shape, rotation, KvRotate::delta, offset)));
          }
        }
      }
    }
  });
}

TEST_CASE("kv: forward rotations multiply by the attention factor, those between positions do not") {
  on_every_target([](Runtime& runtime) {
    const KvShape shape{.layers = 1, .heads = 3, .content = 64};
    KvRotation rotation{.dim = 64};
    rotation.frequencies = {.scaling = RopeScaling::yarn, .factor = 4, .original_positions = 4096};
    for (const KvRotate rotate : {KvRotate::forward, KvRotate::delta}) {
      check(runtime, tokens_of(keys_to_cache(shape, rotation, rotate)));
    }
    // By one distance for all.
    KvCase shifted = tokens_of(keys_to_cache(shape, rotation));
    shifted.old_positions.clear();
    shifted.new_positions.clear();
    shifted.position_shift = -300;
    check(runtime, shifted);
  });
}

TEST_CASE("kv: the rotated part of latent rows, and keys packed with their values") {
  on_every_target([](Runtime& runtime) {
    KvGatherSpec latent{
        .src = {{.axes = "B N C", .block_size = 4, .content = 576}},
        .dst = {{.axes = "N C", .content = 576}},
        .src_index = {.kind = KvIndexKind::slots},
        .segments = {{.count = 512}, {.src_offset = 1024, .dst_offset = 1024, .rotate = KvRotate::delta}},
        .rotation = {.dim = 64, .pairs = RopePairs::interleaved}};
    KvCase test{.spec = latent,
                .tokens = 5,
                .old_positions = {1, 2, 3, 4, 5},
                .new_positions = {6, 5, 40, 3, 2},
                .is_rotated = true};
    test.src[0].blocks = 3;
    test.src_map.index = {3, 11, 0, 7, 4};
    check(runtime, test);
    // [K | V] heads: the first half is turned.
    KvGatherSpec packed{
        .src = {{.axes = "B H N C", .block_size = 4, .heads = 2, .content = 128}},
        .dst = {{.axes = "N H C", .heads = 2, .content = 128}},
        .src_index = {.kind = KvIndexKind::slots},
        .segments = {{.count = 64, .rotate = KvRotate::delta}, {.src_offset = 128, .dst_offset = 128}},
        .rotation = {.dim = 64}};
    test.spec = packed;
    check(runtime, test);
  });
}

TEST_CASE("kv: fp8 keys are turned between their scales") {
  on_every_target([](Runtime& runtime) {
    const KvShape shape{.layers = 1, .heads = 2, .content = 64, .dtype = e4m3};
    KvScatterSpec spec = keys_to_cache(shape, {.dim = 64});
    spec.segments[0].src_scale = {.kind = KvScaleKind::table, .axes = "H"};
    spec.segments[0].dst_scale = {.kind = KvScaleKind::table, .axes = "H"};
    KvCase test = tokens_of(spec);
    test.scales = {0.5f, 0.25f};
    check(runtime, test);
  });
}
