// kv_gather and kv_scatter on what vLLM and FlashInfer test their cache functions with: rows to pages and
// back. Where only the size would differ the shapes are smaller.
//
// Of vLLM:
//  - reshape_and_cache, rows of a packed QKV, three sizes of heads and blocks, fp8: keys in pieces
//  - reshape_and_cache_flash, both orders, scales per tensor or head: heads in either order
//  - swap_blocks and copy_blocks, all directions: kv_copy_test.cpp, kv_memory_test.cpp, and the presets
//  - fp8 there and back: kv_convert_test.cpp, and latent rows by block table
//  - concat_and_cache_mla: latent and rotated part; rows of 656 bytes, quantised: kv_convert_test.cpp
//  - gather_and_maybe_dequant_cache, cp_gather_cache: latent rows by block table
// Of FlashInfer:
//  - append_paged_kv_cache, contiguous and sliced: ragged rows to pages
//  - append_paged_mla_kv_cache, five batches, three page sizes: ragged latent rows to pages
//  - nvfp4 append's slots; its type of four bits is not among the dtypes: slots of all kinds
//  - rope_quantize_fp8_append_paged_kv_cache: turned, quantised, appended; with queries, rope_peers_test.cpp
#include <numeric>
#include <string>

#include <lathe/kv_presets.h>

#include "tests/kernels/kv_case.h"
#include "tests/kernels/kv_layouts.h"
#include "tests/kernels/kv_maps.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const KvCase& test) {
  const std::string wrong = run_kv(runtime, test);
  CHECK(wrong == "");
}

Index bytes_of(std::int64_t elements, DType dtype) {
  return elements * static_cast<Index>(size_of(dtype));
}

/// Rows that lie between others: those of a tensor of `together` such tensors' rows.
void slice(KvScatterSpec& spec, KvCase& test, Index together) {
  for (std::size_t i = 0; i < spec.src.size(); ++i) {
    KvView& rows = spec.src[i];
    rows.strides.assign(rows.heads > 1 ? 3 : 2, 0);
    rows.strides[0] = -1;
    test.src[i].block_step = together * bytes_of(rows.heads * rows.content, rows.dtype);
  }
  test.spec = spec;
}

void give_blocks(KvCase& test, std::size_t views, Index blocks) {
  for (std::size_t i = 0; i < views; ++i) test.dst[i].blocks = blocks;
}

}  // namespace

TEST_CASE("kv: rows of a packed QKV to keys in pieces") {
  on_every_target([](Runtime& runtime) {
    struct Size {
      std::int64_t head, block;
    };
    for (const Size size : {Size{64, 8}, Size{80, 16}, Size{256, 32}}) {
      for (const DType dtype : {bf16, f32}) {
        for (const char* preset : {"reshape_and_cache", "reshape_and_cache_fp8"}) {
          const KvModel model{.heads = 2, .head_size = size.head, .block_size = size.block, .dtype = dtype};
          KvScatterSpec spec = kv_scatter_preset(preset, model).value();
          KvCase test{.spec = spec, .tokens = 42, .scales = {4.0f / 64, 5.0f / 64}};
          test.dst_map.index = distinct(42, 8 * size.block);
          give_blocks(test, 2, 8);
          slice(spec, test, 3);
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("kv: rows to heads in either order, by scales of tensors and of heads") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.heads = 3, .head_size = 64};
    for (const std::string order : {"", "_hnd"}) {
      for (const char* scale : {"", "tensor", "head"}) {
        const std::string fp8 = *scale == '\0' ? "" : "_fp8";
        KvScatterSpec spec = kv_scatter_preset("reshape_and_cache_flash" + order + fp8, model).value();
        KvCase test{.spec = spec, .tokens = 21, .scales = {0.06f, 0.05f, 0.04f, 0.03f, 0.02f, 0.01f}};
        if (std::string(scale) == "head") {
          for (KvSegment& segment : spec.segments) {
            segment.dst_scale.axes = "H";
            segment.dst_scale.first *= 3;
          }
        }
        test.dst_map.index = distinct(21, 64);
        give_blocks(test, 2, 4);
        slice(spec, test, 3);
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("kv: latent and rotated part to one row") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t latent : {256, 512}) {
      for (const DType dtype : {bf16, f32}) {
        for (const char* preset : {"concat_and_cache_mla", "concat_and_cache_mla_fp8"}) {
          const KvModel model{.latent = latent, .dtype = dtype};
          KvCase test{.spec = kv_scatter_preset(preset, model).value(), .tokens = 42, .scales = {0.1f}};
          test.dst_map.index = distinct(42, 128);
          give_blocks(test, 1, 8);
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("kv: latent rows by block table, from the beginning of sequences or a later position") {
  on_every_target([](Runtime& runtime) {
    const std::vector<Index> lengths{17, 0, 40, 1, 16, 33, 0, 5};
    for (const DType dtype : {f32, bf16}) {
      const KvModel model{.dtype = dtype};
      for (const char* preset : {"cp_gather_cache", "gather_and_maybe_dequant_cache"}) {
        for (const bool starts_later : {false, true}) {
          std::vector<Index> starts;
          if (starts_later) starts = {0, 16, 3, 31, 1, 15, 0, 47};
          KvCase test{.spec = kv_gather_preset(preset, model).value(), .tokens = 112, .scales = {0.1f}};
          test.src_map = table_map(lengths, starts, 16, 24);
          test.src[0].blocks = 24;
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("kv: ragged rows to pages, contiguous or sliced") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.heads = 4, .head_size = 128, .dtype = f16};
    const std::vector<std::int64_t> lengths{45, 8, 25, 22};
    for (const char* preset : {"append_paged_kv_cache_nhd", "append_paged_kv_cache_hnd",
                               "append_paged_k_v_caches_nhd", "append_paged_k_v_caches_hnd"}) {
      KvScatterSpec spec = kv_scatter_preset(preset, model).value();
      KvCase test{.spec = spec, .tokens = 100};
      test.dst_map = append_map(lengths, lengths, 16, 30);
      give_blocks(test, 2, 30);
      check(runtime, test);
      // Of requests that are longer already, in a graph with room for more tokens.
      test.dst_map = append_map({55, 58, 25, 300}, lengths, 16, 40, 104);
      test.tokens = 104;
      give_blocks(test, 2, 40);
      slice(spec, test, 2);
      check(runtime, test);
    }
  });
}

TEST_CASE("kv: ragged latent rows to pages") {
  on_every_target([](Runtime& runtime) {
    const std::vector<std::vector<std::int64_t>> batches{
        {45}, {200}, {45, 8, 25}, {45, 8, 25, 22}, {45, 8, 25, 22, 100}};
    for (const Index page : {1, 16, 64}) {
      const KvModel model{.block_size = page, .dtype = f16};
      for (const auto& lengths : batches) {
        const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
        KvCase test{.spec = kv_scatter_preset("append_paged_mla_kv_cache", model).value(), .tokens = tokens};
        test.dst_map = append_map(lengths, lengths, page, 256 / page + 4);
        give_blocks(test, 2, 256 / page + 4);
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("kv: slots of all kinds") {
  on_every_target([](Runtime& runtime) {
    for (const DType index : {i32, i64}) {
      for (const char* preset : {"reshape_and_cache_flash", "reshape_and_cache_flash_hnd_fp8"}) {
        const KvModel model{.heads = 2, .head_size = 128};
        KvScatterSpec spec = kv_scatter_preset(preset, model).value();
        spec.dst_index.dtype = index;
        KvCase test{.spec = spec, .tokens = 100, .scales = {0.1f, 0.2f}};
        test.dst_map.index = distinct(100, 160);
        test.dst_map.index[3] = test.dst_map.index[71] = -1;
        give_blocks(test, 2, 10);
        check(runtime, test);
        test.dst_map.index.assign(100, -1);
        check(runtime, test);
        test.dst_map.index.assign(100, 160);
        check(runtime, test);
        test.tokens = 0;
        check(runtime, test);
        // One slot per page.
        for (KvView& cache : spec.dst) cache.block_size = 1;
        KvCase single{.spec = spec, .tokens = 4, .scales = {0.1f, 0.2f}};
        single.dst_map.index = {0, 3, 5, -1};
        give_blocks(single, 2, 6);
        check(runtime, single);
      }
    }
  });
}

TEST_CASE("kv: keys turned, quantised and appended, values with them") {
  on_every_target([](Runtime& runtime) {
    struct Kind {
      std::int64_t heads, rope, nope;
      DType in, out;
      const char* axes;
      std::int64_t page;
    };
    // Groups of queries and one head per query differ in heads only; latent rows have one.
    for (const Kind& kind :
         {Kind{2, 64, 64, bf16, e4m3, "B N H C", 16}, Kind{6, 32, 96, f16, e5m2, "B H N C", 32},
          Kind{3, 128, 0, bf16, e5m2, "B N H C", 32}, Kind{2, 64, 0, f16, e4m3, "B H N C", 16},
          Kind{1, 64, 512, bf16, e4m3, "B N C", 32}, Kind{1, 32, 96, f16, e4m3, "B N C", 16}}) {
      const std::int64_t content = kind.rope + kind.nope;
      KvView rows{.axes = kind.heads > 1 ? "N H C" : "N C",
                  .dtype = kind.in,
                  .heads = kind.heads,
                  .content = content};
      KvView pages = rows;
      pages.axes = kind.axes;
      pages.dtype = kind.out;
      pages.block_size = kind.page;
      KvScatterSpec spec{.src = {rows}, .dst = {pages}, .dst_index = {.kind = KvIndexKind::pages}};
      const KvScale scale{.kind = KvScaleKind::table, .inverted = true};
      spec.segments.push_back({.count = kind.rope, .dst_scale = scale, .rotate = KvRotate::forward});
      if (kind.nope > 0) {
        spec.segments.push_back({.src_offset = bytes_of(kind.rope, kind.in),
                                 .dst_offset = bytes_of(kind.rope, kind.out),
                                 .dst_scale = scale});
      }
      spec.rotation = {.dim = kind.rope,
                       .pairs = kind.page == 16 ? RopePairs::half : RopePairs::interleaved,
                       .position_dtype = kind.page == 16 ? i32 : i64};
      // Requests of 10 and 50 tokens get 1 and 8 more, and some that are none.
      KvCase test{.spec = spec, .tokens = 12, .scales = {3.5f}, .is_rotated = true};
      test.dst_map = append_map({11, 58}, {1, 8}, kind.page, 8, 12);
      test.new_positions = test.dst_map.positions;
      give_blocks(test, 1, 8);
      check(runtime, test);
    }
  });
}
