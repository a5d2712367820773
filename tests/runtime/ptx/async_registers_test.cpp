// st.async and red.async.
#include "tests/runtime/ptx/async_kernel.h"

using namespace lathe::tests;

TEST_CASE("st.async stores to another block and tells its mbarrier") {
  // Each lane stores 4 words to the next block; 512 bytes in all.
  const auto body = [](const std::string& store, unsigned bytes) {
    return init_bars({1}) +
           fmt::format(R"(
  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], {};
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  xor.b32 %r0, %rank, 1;
  mad.lo.u32 %r1, %lane, 16, %buffer;
  mapa.shared::cluster.u32 %r2, %r1, %r0;
  mapa.shared::cluster.u32 %r3, %bars, %r0;
  mad.lo.u32 %r4, %block, 128, %lane;
  add.u32 %r5, %r4, 1000;
  cvt.u64.u32 %l0, %r5;
)",
                       bytes) +
           store + wait_for("bars", "0") + R"(
  ld.shared.u32 %r6, [%r1];
  xor.b32 %r7, %block, 1;
  mad.lo.u32 %r7, %r7, 128, %lane;
  mad.wide.u32 %l1, %r7, 4, %to;
  st.global.u32 [%l1], %r6;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
)";
  };
  const AsyncRun run{.blocks = 4, .cluster = 2, .seeds = 3};
  const auto right = [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    for (unsigned block = 0; block < 4; ++block) {
      for (unsigned i = 0; i < 32; ++i) CHECK(machine.result[block * 128 + i] == 1000 + block * 128 + i);
    }
  };
  const std::string prefix = "  st.async.weak.shared::cluster.mbarrier::complete_tx::bytes";
  for_each_async_run(body(prefix + ".b32 [%r2], %r5, [%r3];\n", 128), run, right);
  for_each_async_run(body(prefix + ".v2.u32 [%r2], {%r5, %r5}, [%r3];\n", 256), run, right);
  for_each_async_run(body(prefix + ".v4.b32 [%r2], {%r5, %r5, %r5, %r5}, [%r3];\n", 512), run, right);
  for_each_async_run(body(prefix + ".b64 [%r2], %l0, [%r3];\n", 256), run, right);
  for_each_async_run(body(prefix + ".v2.s64 [%r2], {%l0, %l0}, [%r3];\n", 512), run, right);
  expect_error(body(prefix + ".b32 [%r2], %r5, [%r3];\n", 132),
               "whose phase 0 needs 0 of 1 arrivals and 4 bytes more", run);
  expect_error(body(prefix + ".b32 [%r2+2], %r5, [%r3];\n", 128), "misaligned access", run);
  expect_error(body(prefix + ".b32 [%r2], %r5, [bars];\n", 128), "in another block than the destination",
               run);
  expect_error(body(prefix + ".b32 [%r2], %r30, [%r3];\n", 128),
               "reads 4 bytes of shared memory that nobody wrote", run);
}

TEST_CASE("red.async reduces in another block and tells its mbarrier") {
  const auto body = [](const std::string& operation, const std::string& value, unsigned bytes) {
    return init_bars({1}) +
           fmt::format(R"(
  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], {};
  mov.u64 %l0, 1000;
  @%leader st.shared.u64 [buffer], %l0;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  xor.b32 %r0, %rank, 1;
  mapa.shared::cluster.u32 %r2, %buffer, %r0;
  mapa.shared::cluster.u32 %r3, %bars, %r0;
  cvt.u64.u32 %l1, %lane;
  red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.{} [%r2], {}, [%r3];
)",
                       bytes, operation, value) +
           wait_for("bars", "0") + R"(
  ld.shared.u32 %r6, [buffer];
  mad.wide.u32 %l2, %block, 4, %to;
  @%leader st.global.u32 [%l2], %r6;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
)";
  };
  const auto check_result = [&](const std::string& operation, const std::string& value, unsigned bytes,
                                std::uint32_t expected) {
    for_each_async_run(body(operation, value, bytes), {.blocks = 2, .cluster = 2, .seeds = 3},
                       [&](const std::string& error, AsyncMachine& machine) {
                         REQUIRE(error == "");
                         CHECK(machine.result[0] == expected);
                         CHECK(machine.result[1] == expected);
                       });
  };
  check_result("add.u32", "%lane", 128, 1000 + 496);
  check_result("add.s32", "%lane", 128, 1000 + 496);
  check_result("add.u64", "%l1", 256, 1000 + 496);
  check_result("add.s64", "%l1", 256, 1000 + 496);
  check_result("min.u32", "%lane", 128, 0);
  check_result("max.s32", "%lane", 128, 1000);
  check_result("and.b32", "%lane", 128, 0);
  check_result("or.b32", "%lane", 128, 1000 | 31);
  check_result("xor.b32", "%lane", 128, 1000);
}
