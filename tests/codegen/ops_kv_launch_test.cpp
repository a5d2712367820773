#include "codegen/ops/kv_launch.h"

#include <cstdint>
#include <vector>

#include "tests/codegen/kv_launch_fixture.h"

using namespace lathe;
using namespace lathe::tests;
using codegen::Grids;

TEST_CASE("kv launch: what may be left out is filled in") {
  KvLaunch f;
  const Grids grids = f.prepare().value();
  CHECK(f.args.layers == 2);
  CHECK(f.args.src_slots == 160);
  CHECK(f.args.dst_slots == 40);
  CHECK(f.args.dst[0].blocks == 40);
  CHECK(f.args.dst[0].block_step == 2048);
  CHECK(f.args.dst[0].layer_step == 40 * 2048);
  CHECK(f.args.dst[0].plane_step == 2 * 40 * 2048);
  CHECK(f.args.src[0].block_step == 2 * 16 * 2048);
  CHECK(f.args.src[0].plane_step == 16 * 2048);
  // 2 layers, 2 planes.
  CHECK(grids[0].x == 3 * 4);
  f.args.max_blocks = 5;
  CHECK(f.prepare().value()[0].x == 5);
  f.args.tokens = 0;
  CHECK(f.prepare().value() == Grids{});
}

TEST_CASE("kv launch: counts and ranges that do not fit") {
  KvLaunch f;
  f.args.tokens = -1;
  CHECK(f.complaint() == "tokens is -1, allowed are 0 to 2^46");
  f = KvLaunch();
  f.args.first_token = -2;
  CHECK(f.complaint() == "first_token is -2, tokens are counted from 0");
  f = KvLaunch();
  f.args.max_blocks = -1;
  CHECK(f.complaint() == "max_blocks is -1, it must not be negative");
  f = KvLaunch();
  f.args.src_first_layer = 1;
  CHECK(f.complaint() == "2 layers from 1 on are moved, but src[0] has 2");
  f = KvLaunch();
  f.args.layers = 1;
  f.args.dst_first_plane = 1;
  CHECK(f.complaint() == "2 planes from 1 on are moved, but dst[0] has 2");
  f = KvLaunch();
  f.args.src_first_head = -1;
  CHECK(f.complaint() == "8 heads from -1 on are moved, but src[0] has 8");
}

TEST_CASE("kv launch: memory that does not fit") {
  KvLaunch f;
  f.args.src[0].table = nullptr;
  CHECK(f.complaint() == "src[0]: table and base are null, a base of layer needs one of them");
  f = KvLaunch();
  f.args.dst[0].base = nullptr;
  CHECK(f.complaint() == "dst[0]: base is null");
  f = KvLaunch();
  f.args.dst[0].base = fake(4104);
  CHECK(f.complaint() == "dst[0]: base is 0x1008, not a multiple of 16 bytes");
  f = KvLaunch();
  f.args.src[0].blocks = 0;
  CHECK(f.complaint() == "src[0]: blocks is 0, and slots are to be checked");
  f = KvLaunch();
  f.args.dst[0].blocks = 39;
  CHECK(f.complaint() == "dst: 40 tokens from slot 0 on, but there are 39 slots");
  f = KvLaunch();
  f.args.dst[0].layer_step = 100;
  CHECK(f.complaint() == "dst[0]: layer_step is 100 bytes, but the spec says 81920");
  f = KvLaunch();
  f.args.src[0].last_slots = 3;
  f.args.src[0].blocks = 10;
  CHECK(f.complaint() == "src[0]: last_slots is 3, allowed are 0: the spec's view has no short_tail");
  f = KvLaunch();
  f.args.dst[0].bytes = 4 * 40 * 2048 - 1;
  CHECK(f.complaint() == "dst[0]: bytes is 327679, but its rows take 327680");
  KvGatherSpec spec = plain_gather();
  spec.dst[0].strides = {-1, -1, -1, -1, 0};
  f = KvLaunch(spec);
  f.args.dst[0].head_step = 128;
  CHECK(f.complaint() == "dst[0]: its steps make rows overlap");
  f.args.dst[0].head_step = 264;
  CHECK(f.complaint() == "dst[0]: head_step is 264 bytes, not a multiple of the alignment of 16");
  f.args.dst[0].head_step = -256;
  CHECK(f.complaint() == "dst[0]: head_step is -256: rows lie farther apart than 2^63 bytes, or backwards");
}

TEST_CASE("kv launch: the steps of an axis with one element are of no account") {
  KvGatherSpec spec = plain_gather();
  spec.dst[0] = {.axes = "L P B N H Cx x",
                 .strides = {-1, -1, -1, -1, -1, -1, 0},
                 .content = 64,
                 .split = 64,
                 .alignment = 16};
  spec.src[0] = {.axes = "B N H C", .base = KvBase::layer, .strides = {-1, 3, 5, 0}, .content = 64};
  CHECK(normalized(spec).src[0].strides == std::vector<std::int64_t>{-1, 0, 0, 0});
  KvLaunch f(spec);
  f.args = {.tokens = 1};
  f.args.src[0] = {.base = fake(), .table_step = -5, .block_step = -1, .blocks = 1};
  f.args.src_index.index = fake();
  f.args.dst[0] = {.base = fake(), .layer_step = -3, .plane_step = 5, .block_step = -1, .blocks = 1};
  f.args.dst[0].slot_step = f.args.dst[0].head_step = f.args.dst[0].piece_step = -9;
  CHECK(f.complaint() == "nothing");
  CHECK(f.args.dst[0].layer_step == 128);
  CHECK(f.args.dst[0].block_step == 128);
  f.args.src[0].blocks = 2;
  f.args.src[0].block_step = -1;
  CHECK(f.complaint() == "src[0]: block_step is -1: rows lie farther apart than 2^63 bytes, or backwards");
}

TEST_CASE("kv launch: pointers that travel with the arguments") {
  KvGatherSpec spec = plain_gather();
  spec.src[0].pointers = 2;
  KvLaunch f(spec);
  CHECK(f.complaint() == "src[0]: a pointer is null");
  f.args.src_pointers[0] = f.args.src_pointers[1] = fake();
  CHECK(f.complaint() == "nothing");
  f = KvLaunch(spec);
  f.args.src[0].base = fake();
  CHECK(f.complaint() == "nothing");
  CHECK(f.args.src_pointers[1] == fake(4096 + 10 * 2 * 16 * 2048));
}

TEST_CASE("kv launch: scales, status and workspace that are missing") {
  KvGatherSpec spec = plain_gather();
  spec.negative = KvBadIndex::report;
  KvLaunch f(spec);
  CHECK(f.complaint() == "status is null, and a policy of the spec is report");
  spec = plain_gather();
  spec.segments = {{.dst_dtype = f16}};
  spec.segments[0].src_scale = {.kind = KvScaleKind::table, .table = 2};
  f = KvLaunch(spec);
  CHECK(f.complaint() == "scales[2] is 0x0, a segment reads floats from it");
  spec = plain_gather();
  spec.dst_index.kind = KvIndexKind::slots;
  f = KvLaunch(spec);
  f.entries.insert(f.entries.begin(), 2, {"claim", {.work_per_block = 20}});
  f.args.dst_index.index = fake();
  f.args.dst[0].blocks = 100;
  CHECK(f.complaint() == "the workspace has 0 bytes, 400 are needed");
  const auto bytes = codegen::kv_move_workspace_bytes(f.spec, {}, std::as_bytes(std::span(&f.args, 1)));
  CHECK(bytes.value() == 400);
  f.args.workspace_bytes = 400;
  f.args.workspace = fake(4098);
  CHECK(f.complaint() == "workspace is 0x1002, not a multiple of 4 bytes");
  f.args.workspace = fake();
  const Grids grids = f.prepare().value();
  CHECK(grids[0].x == 2);
  CHECK(grids[1].x == 2);
  CHECK(grids[2].x == 12);
  // A quota is one for all steps.
  f.args.max_blocks = 1;
  for (int step = 0; step < 3; ++step) CHECK(f.prepare().value()[step].x == 1);
}

TEST_CASE("kv launch: status out of place, and more slots than a workspace could tell apart") {
  KvGatherSpec spec = plain_gather();
  spec.bounds = KvBadIndex::report;
  KvLaunch f(spec);
  f.args.status = static_cast<int*>(fake(4097));
  CHECK(f.complaint() == "status is 0x1001, not a multiple of 4 bytes");

  const KvView bytes{.axes = "N C", .dtype = u8, .content = 1};
  KvScatterSpec many{.src = {bytes}, .dst = {bytes}};
  many.dst_index = {.kind = KvIndexKind::slots};
  f = KvLaunch();
  f.spec = codegen::normalize_kv_scatter(many).value();
  f.args = {.tokens = 1};
  f.args.src[0].base = fake();
  f.args.dst[0] = {.base = fake(), .blocks = Index{1} << 61};
  f.args.dst_index.index = fake();
  CHECK(f.complaint() == "dst has 2305843009213693952 slots, more than a workspace could tell apart");
}

TEST_CASE("kv launch: positions of rotated segments") {
  KvGatherSpec spec = plain_gather();
  spec.segments = {{.rotate = KvRotate::delta}};
  spec.rotation = {.dim = 128, .position_dtype = i32};
  KvLaunch f(spec);
  CHECK(f.complaint() == "nothing");  // null counts as 0
  f.args.old_positions = fake(4098);
  CHECK(f.complaint() == "positions at 0x1002 are not at a multiple of the 4 bytes of i32");
}
