#include "codegen/ops/kv_launch.h"

#include <cstdint>
#include <string>
#include <variant>

#include "tests/codegen/kv_specs.h"

using namespace lathe;
using namespace lathe::tests;
using codegen::EntryPoint;
using codegen::Grids;

namespace {

/// A pointer that is aligned and never followed.
void* fake(std::uintptr_t value = 4096) {
  return reinterpret_cast<void*>(value);
}

struct Fixture {
  KernelSpec spec;
  KvMoveArgs args{};
  std::vector<EntryPoint> entries{{"lathe_kv_move", {.work_per_block = 16}}};

  explicit Fixture(const KvGatherSpec& given = plain_gather()) : spec(normalized(given)) {
    static const void* const table[2] = {fake(), fake()};
    args.tokens = 40;
    args.src[0] = {.table = table, .blocks = 10};
    args.dst[0].base = fake();
    args.src_index.index = fake();
  }
  Result<Grids> prepare() {
    return codegen::prepare_kv_move(spec, {.entries = entries, .processors = 1},
                                    std::as_writable_bytes(std::span(&args, 1)));
  }
  std::string complaint() {
    const auto result = prepare();
    if (result) return "nothing";
    CHECK(result.error().code == ErrorCode::invalid_argument);
    const std::string& message = result.error().message;
    return message.substr(message.find(": ") + 2);
  }
};

}  // namespace

TEST_CASE("kv launch: what may be left out is filled in") {
  Fixture f;
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
  Fixture f;
  f.args.tokens = -1;
  CHECK(f.complaint() == "tokens is -1, allowed are 0 to 2^46");
  f = Fixture();
  f.args.first_token = -2;
  CHECK(f.complaint() == "first_token is -2, tokens are counted from 0");
  f = Fixture();
  f.args.max_blocks = -1;
  CHECK(f.complaint() == "max_blocks is -1, it must not be negative");
  f = Fixture();
  f.args.src_first_layer = 1;
  CHECK(f.complaint() == "2 layers from 1 on are moved, but src[0] has 2");
  f = Fixture();
  f.args.layers = 1;
  f.args.dst_first_plane = 1;
  CHECK(f.complaint() == "2 planes from 1 on are moved, but dst[0] has 2");
  f = Fixture();
  f.args.src_first_head = -1;
  CHECK(f.complaint() == "8 heads from -1 on are moved, but src[0] has 8");
}

TEST_CASE("kv launch: memory that does not fit") {
  Fixture f;
  f.args.src[0].table = nullptr;
  CHECK(f.complaint() == "src[0]: table and base are null, a base of layer needs one of them");
  f = Fixture();
  f.args.dst[0].base = nullptr;
  CHECK(f.complaint() == "dst[0]: base is null");
  f = Fixture();
  f.args.dst[0].base = fake(4104);
  CHECK(f.complaint() == "dst[0]: base is 0x1008, not a multiple of 16 bytes");
  f = Fixture();
  f.args.src[0].blocks = 0;
  CHECK(f.complaint() == "src[0]: blocks is 0, and slots are to be checked");
  f = Fixture();
  f.args.dst[0].blocks = 39;
  CHECK(f.complaint() == "dst: 40 tokens from slot 0 on, but there are 39 slots");
  f = Fixture();
  f.args.dst[0].layer_step = 100;
  CHECK(f.complaint() == "dst[0]: layer_step is 100 bytes, but the spec says 81920");
  f = Fixture();
  f.args.src[0].last_slots = 3;
  f.args.src[0].blocks = 10;
  CHECK(f.complaint() == "src[0]: last_slots is 3, allowed are 0: the spec's view has no short_tail");
  f = Fixture();
  f.args.dst[0].bytes = 4 * 40 * 2048 - 1;
  CHECK(f.complaint() == "dst[0]: bytes is 327679, but its rows take 327680");
  KvGatherSpec spec = plain_gather();
  spec.dst[0].strides = {-1, -1, -1, -1, 0};
  f = Fixture(spec);
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
  Fixture f(spec);
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
    Fixture f;
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

TEST_CASE("kv launch: pointers that travel with the arguments") {
  KvGatherSpec spec = plain_gather();
  spec.src[0].pointers = 2;
  Fixture f(spec);
  CHECK(f.complaint() == "src[0]: a pointer is null");
  f.args.src_pointers[0] = f.args.src_pointers[1] = fake();
  CHECK(f.complaint() == "nothing");
  f = Fixture(spec);
  f.args.src[0].base = fake();
  CHECK(f.complaint() == "nothing");
  CHECK(f.args.src_pointers[1] == fake(4096 + 10 * 2 * 16 * 2048));
}

TEST_CASE("kv launch: index maps that do not fit") {
  Fixture f;
  f.args.src_index.index = nullptr;
  CHECK(f.complaint() == "src_index.index is null, a map of slots reads it");
  f = Fixture();
  f.args.src_index.index = fake(4100);
  CHECK(f.complaint() == "src_index: 0x1004 is not a multiple of the 8 bytes of i64");
  f = Fixture();
  f.args.src_index.entries = 39;
  CHECK(f.complaint() == "src_index.entries is 39, but 40 tokens take 40");
  KvGatherSpec spec = plain_gather();
  spec.src_index.kind = KvIndexKind::block_table;
  f = Fixture(spec);
  CHECK(f.complaint() == "src_index.offsets is null, a map of block_table reads it");
  f.args.src_index.offsets = fake();
  CHECK(f.complaint() == "src_index.table_width is 0, a block table has a column at least");
  f.args.src_index.table_width = Index{1} << 32;
  f.args.src_index.sequences = Index{1} << 32;
  f.args.src_index.entries = 1;
  CHECK(f.complaint() == "src_index.entries is 1, but 40 tokens take 4611686018427387904");
  f.args.src_index.sequences = Index{1} << 47;
  CHECK(f.complaint() == "src_index.sequences is 140737488355328, allowed are 0 to 2^46");
  f = Fixture();
  f.args.src_index.start = 0x7FFFFFFFFFFFFFFF;
  f.args.src_index.entries = 1;
  CHECK(f.complaint() == "src_index.start is 9223372036854775807");
  spec.src_index.kind = KvIndexKind::pages;
  f = Fixture(spec);
  f.args.src_index.offsets = fake();
  CHECK(f.complaint() == "src_index.rows is null, a map of pages reads it");
  f.args.src_index.rows = fake();
  CHECK(f.complaint() == "src_index.positions is null, a map of pages reads it");
}

TEST_CASE("kv launch: scales, status and workspace that are missing") {
  KvGatherSpec spec = plain_gather();
  spec.negative = KvBadIndex::report;
  Fixture f(spec);
  CHECK(f.complaint() == "status is null, and a policy of the spec is report");
  spec = plain_gather();
  spec.segments = {{.dst_dtype = f16}};
  spec.segments[0].src_scale = {.kind = KvScaleKind::table, .table = 2};
  f = Fixture(spec);
  CHECK(f.complaint() == "scales[2] is 0x0, a segment reads floats from it");
  spec = plain_gather();
  spec.dst_index.kind = KvIndexKind::slots;
  f = Fixture(spec);
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
  Fixture f(spec);
  f.args.status = static_cast<int*>(fake(4097));
  CHECK(f.complaint() == "status is 0x1001, not a multiple of 4 bytes");

  const KvView bytes{.axes = "N C", .dtype = u8, .content = 1};
  KvScatterSpec many{.src = {bytes}, .dst = {bytes}};
  many.dst_index = {.kind = KvIndexKind::slots};
  f = Fixture();
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
  Fixture f(spec);
  CHECK(f.complaint() == "nothing");  // null counts as 0
  f.args.old_positions = fake(4098);
  CHECK(f.complaint() == "positions at 0x1002 are not at a multiple of the 4 bytes of i32");
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
    Fixture f;
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
