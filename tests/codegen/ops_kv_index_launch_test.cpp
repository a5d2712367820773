#include "codegen/ops/kv_index_launch.h"

#include "tests/codegen/kv_launch_fixture.h"

using namespace lathe;
using namespace lathe::tests;

TEST_CASE("kv launch: index maps that do not fit") {
  KvLaunch f;
  f.args.src_index.index = nullptr;
  CHECK(f.complaint() == "src_index.index is null, a map of slots reads it");
  f = KvLaunch();
  f.args.src_index.index = fake(4100);
  CHECK(f.complaint() == "src_index: 0x1004 is not a multiple of the 8 bytes of i64");
  f = KvLaunch();
  f.args.src_index.entries = 39;
  CHECK(f.complaint() == "src_index.entries is 39, but 40 tokens take 40");
  KvGatherSpec spec = plain_gather();
  spec.src_index.kind = KvIndexKind::block_table;
  f = KvLaunch(spec);
  CHECK(f.complaint() == "src_index.offsets is null, a map of block_table reads it");
  f.args.src_index.offsets = fake();
  CHECK(f.complaint() == "src_index.table_width is 0, a block table has a column at least");
  f.args.src_index.table_width = Index{1} << 32;
  f.args.src_index.sequences = Index{1} << 32;
  f.args.src_index.entries = 1;
  CHECK(f.complaint() == "src_index.entries is 1, but 40 tokens take 4611686018427387904");
  f.args.src_index.sequences = Index{1} << 47;
  CHECK(f.complaint() == "src_index.sequences is 140737488355328, allowed are 0 to 2^46");
  f = KvLaunch();
  f.args.src_index.start = 0x7FFFFFFFFFFFFFFF;
  f.args.src_index.entries = 1;
  CHECK(f.complaint() == "src_index.start is 9223372036854775807");
  spec.src_index.kind = KvIndexKind::pages;
  f = KvLaunch(spec);
  f.args.src_index.offsets = fake();
  CHECK(f.complaint() == "src_index.rows is null, a map of pages reads it");
  f.args.src_index.rows = fake();
  CHECK(f.complaint() == "src_index.positions is null, a map of pages reads it");
}
