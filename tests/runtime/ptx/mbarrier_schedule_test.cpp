// mbarriers among warps and lanes that do other things meanwhile: no false deadlocks, cp.async that arrive,
// mistakes with threads that end.
#include "tests/runtime/ptx/async_kernel.h"

using namespace lathe::tests;

namespace {

/// Many steps; uses %r29 and %p9.
std::string busy(unsigned rounds) {
  return fmt::format(
      "  mov.u32 %r29, 0;\nBUSY:\n  add.u32 %r29, %r29, 1;\n  setp.lt.u32 %p9, %r29, {};\n"
      "  @%p9 bra BUSY;\n",
      rounds);
}

}  // namespace

TEST_CASE("cp.async signals an mbarrier when it is done") {
  // Two warps copy for a third, which waits for all 64 lanes, twice.
  const auto body = [](std::string_view arrive, unsigned count) {
    return init_bars({count}) + R"(
  setp.lt.u32 %p0, %thread, 64;
  mad.wide.u32 %l0, %thread, 16, %from;
  mad.lo.u32 %r0, %thread, 16, %buffer;
  @%p0 cp.async.cg.shared.global [%r0], [%l0], 16;
)" + fmt::format("  @%p0 {};\n", arrive) +
           "  @%p0 bra END;\n" + wait_for("bars", "0") + R"(
  sub.u32 %r1, %thread, 64;
  mad.lo.u32 %r1, %r1, 32, %buffer;
  ld.shared.v4.b32 {%r2, %r3, %r4, %r5}, [%r1];
  mad.wide.u32 %l1, %thread, 16, %to;
  st.global.v4.b32 [%l1], {%r2, %r3, %r4, %r5};
END:
)";
  };
  for_each_async_run(body("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [bars]", 64), {.threads = 96},
                     [](const std::string& error, AsyncMachine& machine) {
                       REQUIRE(error == "");
                       for (unsigned i = 0; i < 32; ++i) {
                         for (unsigned j = 0; j < 4; ++j)
                           CHECK(machine.result[(64 + i) * 4 + j] == 1000 + i * 8 + j);
                       }
                     });
  // Without .noinc they do not count, so that somebody has to arrive besides.
  expect_ok(body("cp.async.mbarrier.arrive.shared.b64 [bars]", 1) +
                "  @%leader mbarrier.arrive.shared.b64 _, [bars];\n",
            {.threads = 96, .seeds = 0});
  // An arrival of the thread itself does not say that the copies are done.
  expect_error(body("mbarrier.arrive.shared::cta.b64 _, [bars]", 64), "without having waited for",
               {.threads = 96});
  // Copies that come behind are not waited for.
  expect_error(body("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [bars];\n  @%p0 "
                    "cp.async.cg.shared.global [%r0+2048], "
                    "[%l0], 16",
                    64),
               "without having waited for 1 of its asynchronous copies", {.threads = 96});
}

TEST_CASE("waiting for a warp that works for long is no deadlock") {
  const std::string body = init_bars({1}) + "  @!%first bra WAIT_FOR_IT;\n" + busy(100000) +
                           "  @%leader mbarrier.arrive.shared.b64 _, [bars];\nWAIT_FOR_IT:\n" +
                           wait_for("bars", "0");
  expect_ok(body, {.threads = 96, .seeds = 2});
}

TEST_CASE("waiting for a lane of the same warp that works for long is no deadlock") {
  const std::string body = init_bars({1}) + "  @!%leader bra WAIT_FOR_IT;\n" + busy(100000) +
                           "  mbarrier.arrive.shared.b64 _, [bars];\nWAIT_FOR_IT:\n" + wait_for("bars", "0");
  expect_ok(body, {.threads = 32, .seeds = 2});
}

TEST_CASE("waiting for another cluster is no deadlock") {
  // Warp 0 of block 1 waits for a flag that block 0 sets late, the other warps for warp 0.
  const std::string body = init_bars({1}) + R"(
  setp.eq.u32 %p0, %block, 1;
  @%p0 bra SECOND;
)" + busy(200000) + R"(
  @%leader st.release.gpu.global.u32 [%to], 1;
  ret;
SECOND:
  @!%first bra WAIT_FOR_IT;
SPIN:
  ld.acquire.gpu.global.u32 %r1, [%to];
  setp.eq.u32 %p1, %r1, 0;
  nanosleep.u32 20;
  @%p1 bra SPIN;
  @%leader mbarrier.arrive.shared.b64 _, [bars];
WAIT_FOR_IT:
)" + wait_for("bars", "0");
  expect_ok(body, {.threads = 64, .blocks = 2, .workers = 2, .seeds = 2});
}

TEST_CASE("every lane issues a load where one should") {
  const std::string load =
      " mbarrier.arrive.expect_tx.shared.b64 _, [bars], 64;\n"
      "  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%from], 64, [bars];\n";
  expect_error(init_bars({32}) + load + wait_for("bars", "0"), "has yet to write");
  expect_error(init_bars({1}) + load + wait_for("bars", "0"),
               "there are more arrivals than the phase expects");
}

TEST_CASE("a thread may end before the loads that it issued are there") {
  const std::string body = init_bars({1}) + R"(
  @!%leader bra WAIT_FOR_IT;
  mbarrier.arrive.expect_tx.shared.b64 _, [bars], 128;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%from], 128, [bars];
  ret;
WAIT_FOR_IT:
)" + wait_for("bars", "0") +
                           "  ld.shared.u32 %r0, [buffer+124];\n";
  expect_ok(body);
  expect_ok(body, {.threads = 96});
}

TEST_CASE("a block whose threads have ended is signalled no more") {
  const std::string body = init_bars({1}) + R"(
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  setp.eq.u32 %p0, %rank, 1;
  @%p0 ret;
)" + busy(2000) + R"(
  mapa.shared::cluster.u32 %r0, %bars, 1;
  @%leader mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r0];
)";
  expect_error(body, "its block has ended: the mbarrier at offset 32768 of block (1, 0, 0)",
               {.blocks = 2, .cluster = 2});
}
