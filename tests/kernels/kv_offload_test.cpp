// kv_gather and kv_scatter on what LMCache and SGLang test their kernels with: caches to objects and back.
// Where only the size would differ the shapes are smaller.
//
// Of LMCache:
//  - slots of all layers to chunks, with a tail: slots to chunks of an object, and back
//  - the same of latent rows: latent rows to an object, and back
//  - one layer at a time, token-major or not: one layer at a time
//  - two requests through one cache, with and without a buffer on the GPU: two requests in one cache
//  - formats, types and places, a prefix left out: block ids: every format, type and place
//  - logical pages over the kernel's pages, permuted views: pages of several blocks
//  - keys rotated anew in packed heads: kv_rotate_test.cpp, and packed heads of eight
//  - LMCache-Ascend's large blocks, lists of keys and of values: lists of blocks
// Of SGLang:
//  - per layer and all layers, with and without latent rows: lists to lists
//  - page-first and page-head pools, both ways: pools of the host
//  - both widths of indices, scattered and untouched rows: kv_index_test.cpp, and all of these
#include <numeric>
#include <string>

#include <lathe/kv_presets.h>

#include "tests/kernels/kv_case.h"
#include "tests/kernels/kv_layouts.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using Image = std::vector<std::byte>;

Image check(Runtime& runtime, const KvCase& test) {
  Image result;
  const std::string wrong = run_kv(runtime, test, &result);
  CHECK(wrong == "");
  return result;
}

/// A preset's gather of some slots, and the scatter of what came into another cache.
struct RoundTrip {
  KvCase out;
  KvCase back;

  RoundTrip(const KvGatherSpec& gather, const KvScatterSpec& scatter, const KvMap& map, Index blocks,
            Index last_slots = 0)
      : out{.spec = gather, .tokens = static_cast<Index>(map.index.size())},
        back{.spec = scatter, .tokens = out.tokens, .seed = 2} {
    out.src_map = back.dst_map = map;
    out.src[0].blocks = back.dst[0].blocks = blocks;
    out.dst[0].last_slots = back.src[0].last_slots = last_slots;
  }

  Image run(Runtime& runtime) {
    back.src[0].image = check(runtime, out);
    return check(runtime, back);
  }
};

RoundTrip round_trip(const std::string& preset, const KvModel& model, const KvMap& map, Index blocks,
                     Index last_slots = 0) {
  return {kv_gather_preset(preset, model).value(), kv_scatter_preset(preset, model).value(), map, blocks,
          last_slots};
}

}  // namespace

TEST_CASE("kv: slots to chunks of an object, and back") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.layers = 2, .heads = 2, .head_size = 128, .block_size = 16, .chunk = 64};
    for (const Index tokens : {64, 125, 256}) {
      const KvMap map{.index = distinct(tokens, 640)};
      round_trip("flash_nhd-2ltd_chunks", model, map, 40, tokens % 64).run(runtime);
    }
  });
}

TEST_CASE("kv: latent rows to an object, and back") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.layers = 2, .block_size = 64};
    for (const Index tokens : {32, 63}) {
      round_trip("mla-rows", model, {.index = distinct(tokens, 192)}, 3).run(runtime);
      round_trip("mla_656-rows", model, {.index = distinct(tokens, 192)}, 3).run(runtime);
    }
  });
}

TEST_CASE("kv: one layer at a time") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.layers = 2, .heads = 2, .head_size = 128};
    for (const char* preset : {"flash_nhd-t2d", "flash_nhd-2td"}) {
      RoundTrip trip = round_trip(preset, model, {.index = distinct(50, 128)}, 8);
      trip.out.layers = trip.back.layers = 1;
      for (const Index layer : {0, 1}) {
        trip.out.src_first_layer = trip.out.dst_first_layer = layer;
        trip.back.src_first_layer = trip.back.dst_first_layer = layer;
        trip.run(runtime);
      }
    }
  });
}

TEST_CASE("kv: two requests in one cache, one after the other") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.layers = 2, .heads = 2, .head_size = 64, .chunk = 32};
    const std::vector<Index> all = distinct(130, 160);
    const KvMap first{.index = {all.begin(), all.begin() + 80}};
    const KvMap second{.index = {all.begin() + 80, all.end()}};
    for (const KvPlace place : {KvPlace::device, KvPlace::host}) {
      KvGatherSpec gather = kv_gather_preset("flash_nhd-2ltd_chunks", model).value();
      KvScatterSpec scatter = kv_scatter_preset("flash_nhd-2ltd_chunks", model).value();
      gather.dst[0].place = scatter.src[0].place = place;
      const Image cache = RoundTrip(gather, scatter, first, 10, 16).run(runtime);
      RoundTrip next(gather, scatter, second, 10, 18);
      next.back.dst[0].image = cache;
      next.run(runtime);
    }
  });
}

TEST_CASE("kv: block ids: every format, type and place, without a prefix") {
  on_every_target([](Runtime& runtime) {
    for (const char* cache : {"cross_layer_nhd", "flash_nhd", "flashinfer_nhd", "flash_hnd", "flashinfer_hnd",
                              "cross_layer_hnd"}) {
      for (const DType dtype : {bf16, e4m3}) {
        const KvModel model{.layers = 2, .heads = 2, .head_size = 64, .block_size = 4, .dtype = dtype};
        for (const KvPlace place : {KvPlace::device, KvPlace::host}) {
          KvGatherSpec gather = kv_gather_preset(std::string(cache) + "-2ltd", model).value();
          gather.src_index.kind = KvIndexKind::blocks;
          gather.dst[0].place = place;
          KvCase test{.spec = gather, .tokens = 12, .first_token = 4};
          test.src_map.index = {5, 0, 3};
          test.src[0].blocks = 6;
          check(runtime, test);
          if (dtype != bf16) continue;
          KvScatterSpec scatter = kv_scatter_preset(std::string(cache) + "-2ltd", model).value();
          scatter.dst_index.kind = KvIndexKind::blocks;
          scatter.src[0].place = place;
          KvCase back{.spec = scatter, .tokens = 12, .first_token = 4};
          back.dst_map.index = {5, 0, 3};
          back.dst[0].blocks = 6;
          check(runtime, back);
        }
      }
    }
  });
}

TEST_CASE("kv: pages of several blocks, of views with steps of their own") {
  on_every_target([](Runtime& runtime) {
    // Three pages of 28 slots over blocks of 4: [21, 2, 2, 4, 256] per layer, with room behind each block.
    const KvModel model{.layers = 2, .heads = 2, .head_size = 256, .block_size = 4};
    KvGatherSpec gather = kv_gather_preset("flashinfer_hnd-2ltd", model).value();
    KvScatterSpec scatter = kv_scatter_preset("flashinfer_hnd-2ltd", model).value();
    gather.src_index = scatter.dst_index = {.kind = KvIndexKind::blocks, .dtype = i64, .page_size = 28};
    gather.dst[0].place = scatter.src[0].place = KvPlace::host;
    gather.src[0].strides = scatter.dst[0].strides = {-1, -1, -1, 0, 0};
    RoundTrip trip(gather, scatter, {.index = {0, 2}}, 21);
    trip.out.tokens = trip.back.tokens = 56;
    for (KvMemory* memory : {&trip.out.src[0], &trip.back.dst[0]}) {
      memory->head_step = 4 * 512;
      memory->plane_step = 2 * 4 * 512 + 64;
      memory->block_step = 4 * 4 * 512 + 256;
    }
    trip.run(runtime);
  });
}

TEST_CASE("kv: keys of packed heads turned anew, values as they are") {
  on_every_target([](Runtime& runtime) {
    KvGatherSpec spec{
        .src = {{.axes = "B H N C", .block_size = 16, .heads = 8, .content = 128}},
        .dst = {{.axes = "N H C", .heads = 8, .content = 128}},
        .src_index = {.kind = KvIndexKind::slots, .dtype = i64},
        .segments = {{.count = 64, .rotate = KvRotate::delta}, {.src_offset = 128, .dst_offset = 128}},
        .rotation = {.dim = 64}};
    KvCase test{.spec = spec, .tokens = 24, .is_rotated = true};
    test.src[0].blocks = 2;
    test.src_map.index = distinct(24, 32);
    test.old_positions = distinct(24, 4096, 1);
    test.new_positions = distinct(24, 4096, 2);
    check(runtime, test);
  });
}

TEST_CASE("kv: lists of blocks of keys and of values") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t chunk : {64, 128}) {
      const KvModel model{.layers = 2, .heads = 2, .head_size = 256, .block_size = 32, .chunk = chunk};
      round_trip("sglang_mha_blocks-2ltd_chunks", model, {.index = distinct(80, 128)}, 4, 80 % chunk)
          .run(runtime);
    }
  });
}

TEST_CASE("kv: lists to lists, of one layer and of all, of whole pages") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {bf16, f16}) {
      const KvModel model{.layers = 4, .heads = 2, .head_size = 128, .latent = 192, .dtype = dtype};
      for (const char* preset : {"transfer_kv_lf_lf", "transfer_kv_lf_lf_mla"}) {
        for (const Index page : {1, 16, 64}) {
          KvCase test{.spec = kv_gather_preset(preset, model).value(), .tokens = page == 1 ? 1 : 64};
          for (const auto& [map, seed] : {std::pair(&test.src_map, 1u), std::pair(&test.dst_map, 2u)}) {
            for (const Index first : distinct(test.tokens / page, 256 / page, seed)) {
              for (Index i = 0; i < page; ++i) map->index.push_back(first * page + i);
            }
          }
          test.src[0].blocks = test.dst[0].blocks = 256;
          test.layers = page == 16 ? 1 : 4;
          test.src_first_layer = test.dst_first_layer = page == 16 ? 2 : 0;
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("kv: pools of the host, slots or heads outside") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.layers = 3, .heads = 2, .head_size = 64, .block_size = 16, .dtype = f16};
    for (const char* pool : {"pf", "ph"}) {
      const bool has_blocks = std::string(pool) == "ph";
      KvCase out{.spec = kv_gather_preset(std::string("transfer_kv_lf_") + pool, model).value(),
                 .tokens = 32};
      out.src_map.index = distinct(32, 96, 1);
      out.dst_map.index = distinct(32, 80, 2);
      out.src[0].blocks = 96;
      out.dst[0].blocks = has_blocks ? 5 : 80;
      KvCase back{.spec = kv_scatter_preset(std::string("transfer_kv_") + pool + "_lf", model).value(),
                  .tokens = 32,
                  .src = out.dst,
                  .dst = out.src,
                  .src_map = out.dst_map,
                  .dst_map = out.src_map};
      back.src[0].image = check(runtime, out);
      check(runtime, back);
    }
  });
}
