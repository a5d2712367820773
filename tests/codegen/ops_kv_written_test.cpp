#include "codegen/ops/kv_written.h"

#include "tests/codegen/kv_launch_fixture.h"

using namespace lathe;
using namespace lathe::tests;

TEST_CASE("kv launch: the widest axis need not be the outermost") {
  // Of 4 blocks of 2 slots, 64 bytes apart, where neighbouring slots are 256 bytes apart.
  KvGatherSpec spec = plain_gather();
  spec.dst = {{.axes = "B N C", .strides = {64, 256, 0}, .dtype = u8, .block_size = 2, .content = 64}};
  spec.src = {{.axes = "B N C",
               .base = KvBase::layer,
               .strides = {64, 256, 0},
               .dtype = u8,
               .layers = 2,
               .block_size = 2,
               .content = 64}};
  spec.dst[0].layers = 1;
  spec.segments = {};
  KvScatterSpec back{.src = spec.dst, .dst = spec.src, .dst_index = spec.src_index};
  back.src = {{.axes = "L N C", .dtype = u8, .layers = 2, .content = 64}};
  const auto complaint_of = [&](Index bytes, Index table_step, Index blocks) {
    KvLaunch f;
    f.spec = codegen::normalize_kv_scatter(back).value();
    f.entries.push_back({"lathe_kv_claim", {}});
    f.args = {};
    f.args.tokens = 8;
    f.args.src[0].base = fake();
    f.args.dst[0] = {.base = fake(1 << 20), .table_step = table_step, .blocks = blocks, .bytes = bytes};
    f.args.dst_index.index = fake();
    f.args.workspace = fake();
    f.args.workspace_bytes = 1 << 20;
    const std::string complaint = f.complaint();
    if (complaint == "nothing" && table_step == 0) CHECK(f.args.dst[0].table_step == 512);
    return complaint;
  };
  CHECK(complaint_of(0, 0, 4) == "nothing");
  CHECK(complaint_of(1024, 0, 4) == "nothing");
  CHECK(complaint_of(1023, 0, 4) == "dst[0]: bytes is 1023, but its rows take 1024");
  CHECK(complaint_of(0, 256, 4) == "dst[0]: its steps make rows overlap");
  back.bounds = KvBadIndex::unchecked;
  back.duplicates = KvDuplicates::unchecked;
  CHECK(complaint_of(0, 0, 0) == "dst[0]: table_step is 0, and depends on blocks, which is 0");
  CHECK(complaint_of(0, 512, 0) == "nothing");
}

TEST_CASE("kv launch: views of one memory do not write the same bytes") {
  // An indexer's pages: values of all slots of a block, then their scales.
  KvScatterSpec spec{
      .src = {{.axes = "N C", .content = 128}},
      .dst = {{.axes = "B N C", .strides = {16 * 132, 0, 0}, .dtype = e4m3, .block_size = 16, .content = 128},
              {.axes = "B N C",
               .base = KvBase::shared,
               .strides = {16 * 132, 0, 0},
               .dtype = f32,
               .block_size = 16,
               .content = 1,
               .offset = 16 * 128}},
      .dst_index = {.kind = KvIndexKind::slots}};
  spec.segments = {{.dst_scale = {.kind = KvScaleKind::stored, .view = 1}}};
  const auto complaint_of = [&](Index offset) {
    spec.dst[1].offset = offset;
    KvLaunch f;
    f.spec = codegen::normalize_kv_scatter(spec).value();
    f.args = {.tokens = 1};
    f.args.src[0].base = fake();
    f.args.dst[0] = {.base = fake(), .blocks = 10};
    f.args.dst_index.index = fake();
    f.args.workspace = fake();
    f.args.workspace_bytes = 1 << 20;
    return f.complaint();
  };
  CHECK(complaint_of(16 * 128) == "nothing");
  const std::string both = "segments[0] writes bytes of dst[1] that segments[0] writes as dst[0]";
  CHECK(complaint_of(16 * 128 - 4) == both);
  CHECK(complaint_of(16 * 128 + 4) == both);
  CHECK(complaint_of(0) == both);
}
