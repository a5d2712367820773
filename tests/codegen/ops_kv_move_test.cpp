#include "codegen/ops/kv_move.h"

#include "codegen/canonical.h"
#include "codegen/spec_json.h"
#include "tests/codegen/kv_specs.h"

using namespace lathe;
using namespace lathe::tests;

TEST_CASE("kv move: counts, pages and policies are resolved") {
  const KvGatherSpec spec = normalized(plain_gather());
  CHECK(spec.planes == 2);
  CHECK(spec.heads == 8);
  CHECK(spec.duplicates == KvDuplicates::unchecked);  // identity names no slot twice
  KvScatterSpec scatter{.src = plain_gather().dst, .dst = plain_gather().src};
  scatter.dst_index.kind = KvIndexKind::blocks;
  const auto resolved = std::get<KvScatterSpec>(codegen::normalize_kv_scatter(scatter).value());
  CHECK(resolved.duplicates == KvDuplicates::last);
  CHECK(resolved.dst_index.page_size == 16);
  CHECK(resolved.src_index.dtype == i32);
}

TEST_CASE("kv move: sides that do not fit") {
  KvGatherSpec spec = plain_gather();
  spec.dst[0].heads = 4;
  CHECK(complaint(spec) == "src[0] has 8 heads and dst[0] 4, and heads is 0");
  spec.heads = 5;
  CHECK(complaint(spec) == "heads is 5, but src[0] has 8 and dst[0] 4");
  spec.heads = 4;
  CHECK(complaint(spec) == "nothing");
  spec.dst[0].planes = 1;
  CHECK(complaint(spec) == "src[0] has 2 planes and dst[0] 1, and planes is 0");
  spec = plain_gather();
  spec.src.push_back(spec.src[0]);
  spec.src[1].layers = 3;
  CHECK(complaint(spec) == "src[1] has 3 layers, but src[0] has 2");
  spec = plain_gather();
  spec.src_index.page_size = 16;
  CHECK(complaint(spec) == "src_index: page_size is 16, but kind is slots, which numbers slots");
  spec = plain_gather();
  spec.src[0].heads = spec.dst[0].heads = 65536;
  spec.src[0].content = spec.dst[0].content = 65536;
  CHECK(complaint(spec) == "src[0]: all heads of a slot have 8589934592 bytes, allowed are 2^30");
  spec = plain_gather();
  for (KvView* const view : {&spec.src[0], &spec.dst[0]})
    *view = {.axes = "N C", .dtype = u8, .content = 1 << 30};
  CHECK(complaint(spec) == "nothing");
  ++spec.src[0].content;
  CHECK(complaint(spec) == "src[0]: all heads of a slot have 1073741825 bytes, allowed are 2^30");
}

TEST_CASE("kv move: gather and scatter are two ops with one text each, which JSON keeps") {
  const KvGatherSpec spec = normalized(plain_gather());
  CHECK(codegen::op_of(spec).name == "kv_gather");
  CHECK(codegen::op_of(KvScatterSpec{}).name == "kv_scatter");
  const std::string text = codegen::canonical_text(spec);
  CHECK(text.find("kv_gather src=[{axes=") == 0);
  CHECK(std::get<KvGatherSpec>(codegen::spec_from_json(codegen::spec_to_json(spec)).value()) == spec);
}

TEST_CASE("kv move: the plan knows steps that the spec fixes, and which heads lie together") {
  const auto parameter = [](const KvGatherSpec& spec, std::string_view name) {
    const auto plan =
        codegen::plan_kv_move(normalized(spec), Target::parse("emulate:sm_90a").value()).value();
    for (const auto& [key, value] : plan.parameters) {
      if (key == name) return value;
    }
    return std::string("?");
  };
  KvGatherSpec spec = plain_gather();
  // Layers by pointer; planes, blocks and slots of the cache fixed, all heads one row; of the object only
  // slots.
  CHECK(
      parameter(spec, "kSrcViews") ==
      "{{KvBase::layer, false, false, KvPlace::device, 2, 16, 0, 32768, 65536, 2048, 256, 0, 256, 0, false, "
      "false}}");
  CHECK(parameter(spec, "kDstViews") ==
        "{{KvBase::single, false, false, KvPlace::device, 2, 1, -1, -1, 2048, 0, 256, 0, 256, 0, false, "
        "false}}");
  CHECK(parameter(spec, "kHeads") == "1");
  CHECK(parameter(spec, "kSegments").find("KvType::bytes, KvType::bytes, 0, 0, -1, 0, 0, 2048, 16, ") == 2);
  CHECK(parameter(spec, "kTileTokens") == "16");
  CHECK(parameter(spec, "kParts") == "1");
  spec.src[0].axes = "B P H N C";
  CHECK(parameter(spec, "kHeads") == "8");
  CHECK(parameter(spec, "kSegments").find("KvType::bytes, KvType::bytes, 0, 0, -1, 0, 0, 256, 16, ") == 2);
  spec.src[0].alignment = 4;
  CHECK(parameter(spec, "kSegments").find("KvType::bytes, KvType::bytes, 0, 0, -1, 0, 0, 256, 4, ") == 2);
  // A block of 128 KiB is four tiles.
  const KvView block{.axes = "B C", .dtype = u8, .content = 131072};
  CHECK(parameter(KvGatherSpec{.src = {block}, .dst = {block}}, "kParts") == "4");
}

TEST_CASE("kv move: duplicates are settled before rows are moved") {
  KvGatherSpec spec = plain_gather();
  const Target target = Target::parse("emulate:sm_80").value();
  CHECK(codegen::plan_kv_move(normalized(spec), target).value().entries.size() == 1);
  spec.dst_index.kind = KvIndexKind::slots;
  const auto plan = codegen::plan_kv_move(normalized(spec), target).value();
  REQUIRE(plan.entries.size() == 3);
  CHECK(plan.entries[0].name == "lathe_kv_unclaim");
  CHECK(plan.entries[1].name == "lathe_kv_claim");
  CHECK(plan.entries[2].name == "lathe_kv_move");
  CHECK(plan.entries[1].launch.work_per_block == plan.entries[1].launch.block.x);
  CHECK(plan.entries[2].launch.work_per_block == 16);
  // A CPU's blocks are larger: each begins with nothing under way, and waking a thread takes time.
  const auto on_cpu = codegen::plan_kv_move(normalized(spec), Target::parse("cpu:x86-64").value()).value();
  CHECK(on_cpu.entries[1].launch.work_per_block == 8192);
  CHECK(on_cpu.parameters.back() == std::pair<std::string, std::string>("kClaimTokens", "8192"));
  CHECK(on_cpu.entries[2].launch.work_per_block == 64);
  CHECK(!codegen::plan_kv_move(normalized(spec), {.backend = Backend::cuda, .arch = "sm_70"}));
}
