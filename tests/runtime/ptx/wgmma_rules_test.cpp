// What wgmma needs of operands and warps, and which forms are refused.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/wgmma_rules.h"
#include "tests/support/catch.h"

using namespace lathe::tests;
using namespace lathe::tests::wgmma;

TEST_CASE("memory that nobody wrote, or that is not there, is reported") {
  const auto error = [](std::string_view descriptors) {
    return error_of(descriptors, kFence, kProduct, kCommit, wait(0));
  };
  const std::string outside = error("  add.u64 l1, base_b, 0x800082000;\n");
  CHECK(contains(outside, "of the block's 4096 bytes"));
  CHECK(contains(outside, "wgmma.mma_async"));  // and not the wait
  CHECK(contains(error("  or.b64 l0, l0, 0x400000000000;\n"), "with bits set that have no meaning"));
  CHECK(contains(error("  .shared .align 16 .b8 more[1024];\n  mov.u32 r0, more;\n  shr.u32 r0, r0, 4;\n"
                       "  cvt.u64.u32 l1, r0;\n  add.u64 l1, l1, 0x800080000;\n"),
                 "never written"));
}

TEST_CASE("what lies between the chunks of a tile is not read") {
  // B's chunks along K are 512 bytes apart, and nobody writes what is between.
  const std::string sparse =
      "  .shared .align 16 .b8 apart[1024];\n  mov.u32 r0, apart;\n  shr.u32 r1, r0, 4;\n"
      "  cvt.u64.u32 l1, r1;\n  add.u64 l1, l1, 0x800200000;\n"
      "  setp.lt.u32 q, thread, 32;\n  mad.lo.u32 r0, thread, 4, r0;\n  mov.u32 r1, 0x40004000;\n"
      "  @q st.shared.b32 [r0], r1;\n  @q st.shared.b32 [r0+512], r1;\n"
      "  fence.proxy.async.shared::cta;\n  bar.sync 0;\n";
  check_sum(32, sparse, kFence, kProduct, kCommit, wait(0));
}

TEST_CASE("descriptors and predicate must be the same for all threads") {
  const auto error = [](std::string_view change) {
    return error_of(change, kFence, kProduct, kCommit, wait(0));
  };
  CHECK(contains(error("  setp.ne.u32 q, thread, 5;\n  @q add.u64 l1, l1, 1;\n"), "the descriptor of B is"));
  CHECK(
      contains(error("  setp.lt.u32 q, thread, 64;\n  @q add.u64 l0, l0, 1;\n"), "give different operands"));
  CHECK(contains(error("  setp.lt.u32 p, thread, 31;\n"), "whether the accumulators' values count"));
  CHECK(contains(error("  setp.lt.u32 p, thread, 32;\n"), "give different operands"));
  CHECK(contains(error("  mov.b64 l1, l7;\n"), "the descriptor of B depends on it"));
}

TEST_CASE("all four warps must execute a wgmma, and all their lanes") {
  const std::string product = fmt::format("{}{}{}{}", kFence, kProduct, kCommit, wait(0));
  CHECK(contains(run(product, {.threads = 96}).error, "has only 96 of its 128 threads"));
  CHECK(contains(run(product, {.threads = 160, .checks = {.definedness = true, .races = false}}).error,
                 "has only 32 of its 128 threads"));
  const auto three_warps = [&](std::string_view rest) {
    return fmt::format("  setp.lt.u32 q, thread, 32;\n  @q {};\n{}", rest, product);
  };
  for (const bool is_random : {false, true}) {
    CHECK(contains(run(three_warps("ret"), {.is_random = is_random}).error, "warpgroup"));
    CHECK(contains(run(three_warps("bra skip") + "skip:\n", {.is_random = is_random}).error, "warpgroup"));
  }
  const std::string one_lane_less =
      fmt::format("  setp.ne.u32 q, thread, 77;\n{}  @q {}{}{}", kFence, kProduct, kCommit, wait(0));
  CHECK(contains(error_of(one_lane_less), "kept out by the guard"));
  const std::string another =
      fmt::format("{0}  setp.lt.u32 q, thread, 32;\n  @q bra other;\n{1}  bra end;\nother:\n{2}end:\n{3}{4}",
                  kFence, kProduct, kFromRegisters, kCommit, wait(0));
  CHECK(contains(error_of(another), "another warp of the warpgroup executed what is at PTX line"));
}

TEST_CASE("an undefined row of A makes its row of D undefined, an undefined accumulator itself") {
  // What a thread's i-th accumulator is stored as; `q`: whether the undefined accumulators count.
  const auto error = [](std::string_view before, std::string_view counts, unsigned thread, unsigned i) {
    return error_of(
        "  .reg .b32 u, v<4>;\n", before, kFence, fmt::format("  setp.{}.u32 q, thread, 999;\n", counts),
        "  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {v0, v1, v2, v3}, {a0, a1, a2, a3}, l1, "
        "q, 1, 1, 0;\n",
        kCommit, wait(0),
        fmt::format("  setp.eq.u32 q, thread, {};\n  @q st.global.b32 [to], v{};\n", thread, i));
  };
  CHECK(contains(error("", "ne", 0, 0), "never written"));
  CHECK(error("", "eq", 0, 0) == "no fault");
  // Thread 41 is lane 9 of warp 1: a1 is row 2 + 8.
  const std::string_view undefined = "  setp.eq.u32 q, thread, 41;\n  @q mov.b32 a1, u;\n";
  CHECK(contains(error(undefined, "eq", 40, 2), "never written"));
  CHECK(contains(error(undefined, "eq", 43, 3), "never written"));
  CHECK(error(undefined, "eq", 40, 1) == "no fault");
  CHECK(error(undefined, "eq", 44, 2) == "no fault");
  CHECK(error(undefined, "eq", 8, 2) == "no fault");
}

TEST_CASE("forms of wgmma that are not there are refused") {
  const auto refused = [](std::string_view rest) {
    const std::string error = error_of(fmt::format("  wgmma.{};\n", rest));
    CAPTURE(rest, error);
    CHECK(contains(error, "PTX line"));
    CHECK(contains(error, fmt::format("in `wgmma.{}", rest.substr(0, 20))));
  };
  const std::string_view d = "{d0, d1, d2, d3}";
  const auto product = [&](std::string_view types, std::string_view rest) {
    refused(fmt::format("mma_async.sync.aligned.{} {}, {}", types, d, rest));
  };
  product("m64n8k16.f32.bf16.bf16", "l0, l1, p");
  product("m64n8k16.f32.bf16.bf16", "l0, l1, p, 1, 1");
  product("m64n8k16.f32.bf16.bf16", "l0, l1, p, 1, 2, 0, 0");
  product("m64n8k16.f32.bf16.bf16", "l0, l1, p, 1, 1, 0, 2");
  product("m64n8k16.f32.bf16.bf16", "{a0, a1, a2, a3}, l1, p, 1, 1, 0, 0");
  product("m64n8k16.f32.bf16.bf16", "{a0, a1}, l1, p, 1, 1, 0");
  product("m64n8k16.f32.f16.bf16", "l0, l1, p, 1, 1, 0, 0");
  product("m64n8k16.f32.f64.f64", "l0, l1, p, 1, 1, 0, 0");
  product("m64n8k32.f32.bf16.bf16", "l0, l1, p, 1, 1, 0, 0");
  product("m64n16k16.f32.bf16.bf16", "l0, l1, p, 1, 1, 0, 0");
  product("m64n8k8.f32.tf32.tf32", "l0, l1, p, 1, 1, 0");
  product("m64n8k32.f32.e4m3.e4m3", "l0, l1, p, 1, 1, 0, 0");
  product("m64n8k32.s32.s8.s8", "l0, l1, p, 1, 1");
  product("m64n8k32.satfinite.f32.e4m3.e4m3", "l0, l1, p, 1, 1");
  product("m64n8k32.f32.s8.s8", "l0, l1, p");
  product("sp.m64n8k32.f32.bf16.bf16", "l0, l1, r0, 0, p, 1, 1, 0, 0");
  product("m64n12k16.f32.bf16.bf16", "l0, l1, p, 1, 1, 0, 0");
  product("m64n264k16.f32.bf16.bf16", "l0, l1, p, 1, 1, 0, 0");
  product("m32n8k16.f32.bf16.bf16", "l0, l1, p, 1, 1, 0, 0");
  refused("mma_async.sync.aligned.m64n8k16.f16.bf16.bf16 {d0, d1}, l0, l1, p, 1, 1, 0, 0");
  refused("mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {d0, d1, d2, _}, l0, l1, p, 1, 1, 0, 0");
  refused("mma_async.aligned.m64n8k16.f32.bf16.bf16 {d0, d1, d2, d3}, l0, l1, p, 1, 1, 0, 0");
  refused("mma_async.sync.aligned.m64n256k256.s32.b1.b1.and.popc {d0, d1, d2, d3}, l0, l1, p");
  refused("fence");
  refused("fence.sync");
  refused("wait_group.sync.aligned r0");
  refused("wait_group.sync.aligned");
  CHECK(contains(run(std::string(kFence), {}, "sm_90").error, "wgmma needs .target sm_90a"));
}

TEST_CASE("integer products are there in fewer widths") {
  for (const unsigned columns : {8u, 16u, 24u, 32u, 40u, 48u, 56u, 64u, 72u, 96u, 248u, 256u}) {
    const unsigned count = columns / 2;
    const std::string body =
        fmt::format("  .reg .b32 e<{}>;\n  wgmma.mma_async.sync.aligned.m64n{}k32.s32.s8.s8 {}, l0, l1, p;\n",
                    count, columns, vector_of("e", 0, count));
    const bool is_there = columns <= 32 || columns % 16 == 0;
    CAPTURE(columns);
    CHECK(contains(error_of(body), "no wgmma of this shape") != is_there);
  }
}
