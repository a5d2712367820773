// mbarrier: phases, arrivals, and waits.
#include "runtime/ptx/mbarrier.h"

#include "tests/runtime/ptx/async_kernel.h"

using lathe::runtime::ptx::Mbarrier;
using namespace lathe::tests;

namespace {

/// Word i of the result, for 32-bit register i of thread 0.
std::string give_out(std::string_view reg, unsigned i) {
  return fmt::format("  @%leader st.global.u32 [%to+{}], {};\n", i * 4, reg);
}

std::string predicate_to(std::string_view reg, std::string_view predicate) {
  return fmt::format("  selp.u32 {}, 1, 0, {};\n", reg, predicate);
}

const std::string kInit1 = init_bars({1});

}  // namespace

TEST_CASE("a phase is over when all have arrived and all bytes have come") {
  Mbarrier bar(2);
  CHECK(bar.phase() == 0);
  CHECK_FALSE(bar.is_parity_over(0));
  CHECK(bar.is_parity_over(1));  // the phase before the first
  CHECK(bar.arrive(1) == "");
  CHECK(bar.expect_bytes(64) == "");
  CHECK(bar.arrive(1) == "");
  CHECK(bar.describe() == "phase 0 needs 0 of 2 arrivals and 64 bytes more");
  CHECK(bar.complete_bytes(48) == "");
  CHECK(bar.phase() == 0);
  CHECK(bar.complete_bytes(16) == "");
  CHECK(bar.phase() == 1);
  CHECK(bar.is_over(0));
  CHECK_FALSE(bar.is_over(1));
  CHECK(bar.is_parity_over(0));
  CHECK_FALSE(bar.is_parity_over(1));
  CHECK(bar.describe() == "phase 1 needs 2 of 2 arrivals more");
}

TEST_CASE("bytes may come before they are expected") {
  Mbarrier bar(1);
  CHECK(bar.complete_bytes(32) == "");
  CHECK(bar.describe() == "phase 0 needs 1 of 1 arrivals and got 32 bytes more than it expects");
  CHECK(bar.arrive(1) == "");
  CHECK(bar.phase() == 0);
  CHECK(bar.expect_bytes(32) == "");
  CHECK(bar.phase() == 1);
}

TEST_CASE("an mbarrier's limits") {
  Mbarrier bar(3);
  CHECK(bar.arrive(4) != "");
  CHECK(bar.arrive(0) != "");
  CHECK(bar.arrive(1u << 20) != "");
  CHECK(bar.arrive(2) == "");
  CHECK(bar.arrive(2) != "");
  CHECK(bar.expect_bytes(Mbarrier::kMostBytes) == "");
  CHECK(bar.expect_bytes(1) != "");
  CHECK(bar.complete_bytes(1 << 20) != "");
  CHECK(bar.complete_bytes(Mbarrier::kMostBytes) == "");
  CHECK(bar.complete_bytes(Mbarrier::kMostBytes) == "");
  CHECK(bar.complete_bytes(1) != "");
  CHECK(bar.arrive_and_drop(4) != "");
  Mbarrier most(Mbarrier::kMostArrivals);
  CHECK(most.expect_arrival() != "");
  CHECK(most.arrive(Mbarrier::kMostArrivals) == "");
  CHECK(most.phase() == 1);
}

TEST_CASE("who drops out is not expected any more") {
  Mbarrier bar(3);
  CHECK(bar.arrive_and_drop(1) == "");
  CHECK(bar.arrive(2) == "");
  CHECK(bar.phase() == 1);
  CHECK(bar.arrive(1) == "");
  CHECK(bar.phase() == 1);
  CHECK(bar.arrive(1) == "");
  CHECK(bar.phase() == 2);
  CHECK(Mbarrier::arrivals_of(bar.token()) == 2);
  CHECK(Mbarrier::phase_of(bar.token()) == 2);
}

TEST_CASE("mbarrier instructions: states, counts and tests") {
  const std::string body = init_bars({3, 32}) + R"(
  mbarrier.arrive.shared.b64 %l0, [bars+8];   // all lanes
  mbarrier.pending_count.b64 %r0, %l0;
  mbarrier.test_wait.shared::cta.b64 %p0, [bars+8], %l0;
  mbarrier.test_wait.parity.acquire.cta.shared.b64 %p1, [bars+8], 0;
  mbarrier.test_wait.parity.shared.b64 %p2, [bars+8], 1;
  @!%leader ret;
  mbarrier.arrive.shared.b64 %l1, [%bars];
  mbarrier.pending_count.b64 %r1, %l1;
  mbarrier.arrive.noComplete.release.cta.shared.b64 %l2, [bars], 1;
  mbarrier.pending_count.b64 %r2, %l2;
  mbarrier.test_wait.relaxed.cluster.shared.b64 %p3, [bars], %l2;
  mbarrier.arrive.release.cluster.shared::cta.b64 _, [bars], 1;
  mbarrier.try_wait.shared.b64 %p4, [bars], %l1, 1000;
  mbarrier.arrive.relaxed.cta.shared::cta.b64 %l3, [bars], 3;
  mbarrier.try_wait.parity.acquire.cluster.shared.b64 %p5, [bars], 1, %r0;
)" + predicate_to("%r3", "%p0") +
                           predicate_to("%r4", "%p1") + predicate_to("%r5", "%p2") +
                           predicate_to("%r6", "%p3") + predicate_to("%r7", "%p4") +
                           predicate_to("%r8", "%p5") + give_out("%r0", 0) + give_out("%r1", 1) +
                           give_out("%r2", 2) + give_out("%r3", 3) + give_out("%r4", 4) + give_out("%r5", 5) +
                           give_out("%r6", 6) + give_out("%r7", 7) + give_out("%r8", 8);
  for_each_async_run(body, {.seeds = 0}, [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    const std::vector<std::uint32_t> expected{32, 3, 2, 1, 1, 0, 0, 1, 1};
    CHECK(std::vector(machine.result, machine.result + expected.size()) == expected);
  });
}

TEST_CASE("mbarrier instructions: bytes, drops, and starting again") {
  expect_ok(init_bars({2}) + R"(
  @!%leader ret;
  mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bars], 48;
  mbarrier.arrive.expect_tx.shared.b64 %l0, [bars], 16;
  mbarrier.arrive_drop.shared.b64 %l1, [bars];
  mbarrier.test_wait.shared.b64 %p0, [bars], %l0;
  @%p0 trap;
  mbarrier.complete_tx.shared::cta.b64 [bars], 40;
  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [bars], 24;
  mbarrier.test_wait.shared.b64 %p0, [bars], %l0;
  @!%p0 trap;
  mbarrier.arrive.shared.b64 %l0, [bars];   // the only one now
  mbarrier.test_wait.parity.shared.b64 %p0, [bars], 1;
  @!%p0 trap;
  mbarrier.arrive_drop.expect_tx.shared.b64 %l0, [bars], 0;
  mbarrier.test_wait.parity.shared.b64 %p0, [bars], 0;
  @!%p0 trap;
  mbarrier.inval.shared.b64 [bars];
  mbarrier.init.shared.b64 [bars], 4;
  mbarrier.arrive_drop.noComplete.shared.b64 %l0, [bars], 3;
  mbarrier.pending_count.b64 %r0, %l0;
  setp.ne.u32 %p0, %r0, 4;
  @%p0 trap;)");
}

TEST_CASE("an mbarrier holds back those who wait for it") {
  // Each warp adds what the one before it left; warp 0 waits for the last.
  const std::string body = init_bars({96, 96}) + R"(
  shl.b32 %r0, %thread, 2;
  add.u32 %r0, %r0, %buffer;
  add.u32 %r1, %thread, 33;
  rem.u32 %r1, %r1, 96;
  shl.b32 %r1, %r1, 2;
  add.u32 %r1, %r1, %buffer;
  mov.u32 %r2, %thread;
  mov.u32 %r3, 0;
  mov.u32 %r5, 0;
LOOP:
  st.shared.u32 [%r0], %r2;
  mbarrier.arrive.shared.b64 %l0, [bars];
)" + wait_for("bars", "%r5") +
                           R"(
  ld.shared.u32 %r2, [%r1];
  mbarrier.arrive.shared.b64 _, [bars+8];
)" + wait_for("bars+8", "%r5") +
                           R"(
  xor.b32 %r5, %r5, 1;
  add.u32 %r3, %r3, 1;
  setp.lt.u32 %p0, %r3, 5;
  @%p0 bra LOOP;
  mad.wide.u32 %l1, %thread, 4, %to;
  st.global.u32 [%l1], %r2;
)";
  for_each_async_run(body, {.threads = 96}, [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    for (unsigned i = 0; i < 96; ++i) CHECK(machine.result[i] == (i + 5 * 33) % 96);
  });
}

TEST_CASE("an arrival publishes what was written before it, a relaxed one does not") {
  const auto body = [](std::string_view ordering) {
    return kInit1 +
           fmt::format(
               "  @!%leader bra READ;\n  st.shared.u32 [buffer], 7;\n"
               "  mbarrier.arrive.{}.cta.shared::cta.b64 _, [bars];\nREAD:\n",
               ordering) +
           "  @%first ret;\n" + wait_for("bars", "0") + "  ld.shared.u32 %r0, [buffer];\n";
  };
  expect_ok(body("release"), {.threads = 64});
  expect_error(body("relaxed"), "data race",
               {.threads = 64, .checks = {.definedness = false, .races = true}});
}

TEST_CASE("a missing wait is a race") {
  const std::string body = kInit1 +
                           "  @%leader st.shared.u32 [buffer], 7;\n"
                           "  @%leader mbarrier.arrive.shared::cta.b64 _, [bars];\n  @%first ret;\n";
  const std::string read = "  ld.shared.u32 %r0, [buffer];\n";
  expect_ok(body + wait_for("bars", "0") + read, {.threads = 64});
  expect_any_error(body + read, {"data race", "that nobody wrote"}, {.threads = 64});
  // Of the wrong phase: it is over at once, or never.
  expect_any_error(body + wait_for("bars", "1") + read, {"data race", "that nobody wrote", "deadlock"},
                   {.threads = 64});
}

TEST_CASE("lanes of one warp wait for each other at mbarriers") {
  // Lane 0 hands a number to the others of its warp, and takes it back changed, over and over.
  const std::string body = init_bars({1, 31}) + R"(
  mov.u32 %r0, 0;
  mov.u32 %r1, 0;
  @!%leader bra OTHERS;
LOOP0:
  st.shared.u32 [buffer], %r0;
  mbarrier.arrive.shared.b64 _, [bars];
)" + wait_for("bars+8", "%r1") +
                           R"(
  xor.b32 %r1, %r1, 1;
  add.u32 %r0, %r0, 1;
  setp.lt.u32 %p0, %r0, 6;
  @%p0 bra LOOP0;
  bra END;
OTHERS:
)" + wait_for("bars", "%r1") +
                           R"(
  ld.shared.u32 %r2, [buffer];
  setp.ne.u32 %p0, %r2, %r0;
  @%p0 trap;
  mbarrier.arrive.shared.b64 _, [bars+8];
  xor.b32 %r1, %r1, 1;
  add.u32 %r0, %r0, 1;
  setp.lt.u32 %p0, %r0, 6;
  @%p0 bra OTHERS;
END:
)";
  expect_ok(body);
}

TEST_CASE("blocks of a cluster arrive at each other's mbarriers") {
  const std::string body = init_bars({4}) + R"(
  barrier.cluster.arrive.relaxed.aligned;
  barrier.cluster.wait.acquire.aligned;
  setp.lt.u32 %p0, %thread, 4;
  mov.u32 %r0, bars;
  mapa.shared::cluster.u32 %r1, %r0, %thread;
  mov.u32 %r2, buffer;
  mapa.shared::cluster.u32 %r2, %r2, %thread;
  mad.lo.u32 %r2, %rank, 4, %r2;
  add.u32 %r3, %rank, 100;
  @%p0 st.shared::cluster.u32 [%r2], %r3;
  @%p0 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r1];
)" + wait_for("bars", "0") +
                           R"(
  mad.lo.u32 %r4, %thread, 4, %buffer;
  @!%p0 bra LAST;
  ld.shared.u32 %r5, [%r4];
  mad.lo.u32 %r6, %block, 4, %thread;
  mad.wide.u32 %l0, %r6, 4, %to;
  st.global.u32 [%l0], %r5;
LAST:
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
)";
  for_each_async_run(body, {.blocks = 8, .cluster = 4}, [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    for (unsigned i = 0; i < 32; ++i) CHECK(machine.result[i] == 100 + i % 4);
  });
}
