// Barriers of a block.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;

namespace {

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("bar.sync holds every warp until the last one has come") {
  // Each thread reads what a thread of another warp wrote, over and over.
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    PtxMachine machine;
    machine.random_schedule = seed != 0;
    machine.seed = seed;
    auto* out = machine.allocate<std::uint32_t>(96);
    machine.run_ok(96, ptx_kernel(1, R"(
      .shared .align 4 .b8 s[384];
      mov.u32 %r1, s;
      mad.lo.u32 %r2, %r0, 4, %r1;
      add.u32 %r3, %r0, 33;
      rem.u32 %r3, %r3, 96;
      mad.lo.u32 %r4, %r3, 4, %r1;
      mov.u32 %r5, %r0;
      mov.u32 %r6, 0;
    LOOP:
      st.shared.u32 [%r2], %r5;
      bar.sync 0;
      ld.shared.u32 %r5, [%r4];
      bar.sync 0;
      add.u32 %r6, %r6, 1;
      setp.lt.u32 %p1, %r6, 5;
      @%p1 bra LOOP;
      mad.wide.u32 %l1, %r0, 4, %l0;
      st.global.u32 [%l1], %r5;)"),
                   out);
    for (unsigned i = 0; i < 96; ++i) CHECK(out[i] == (i + 5 * 33) % 96);
  }
}

TEST_CASE("named barriers: one warp arrives, another waits") {
  for (const std::uint64_t seed : {0, 1, 2}) {
    PtxMachine machine;
    machine.random_schedule = seed != 0;
    machine.seed = seed;
    auto* out = machine.allocate<std::uint32_t>(32);
    machine.run_ok(64, ptx_kernel(1, R"(
      .shared .align 4 .b8 s[128];
      mov.u32 %r1, s;
      and.b32 %r2, %r0, 31;
      mad.lo.u32 %r3, %r2, 4, %r1;
      setp.ge.u32 %p1, %r0, 32;
      @%p1 bra CONSUMER;
      mul.lo.u32 %r4, %r0, 3;
      st.shared.u32 [%r3], %r4;
      bar.arrive 1, 64;
      bra END;
    CONSUMER:
      bar.sync 1, 64;
      ld.shared.u32 %r5, [%r3];
      mad.wide.u32 %l1, %r2, 4, %l0;
      st.global.u32 [%l1], %r5;
    END:)"),
                   out);
    for (unsigned i = 0; i < 32; ++i) CHECK(out[i] == i * 3);
  }
}

TEST_CASE("barriers count and vote") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(3 * 64);
  machine.run_ok(64, ptx_kernel(1, R"(
    setp.lt.u32 %p1, %r0, 40;
    barrier.cta.red.popc.aligned.u32 %r1, 0, %p1;
    bar.red.and.pred %p2, 0, %p1;
    bar.red.or.pred %p3, 1, 64, !%p1;
    selp.u32 %r2, 1, 0, %p2;
    selp.u32 %r3, 1, 0, %p3;
    mad.wide.u32 %l1, %r0, 12, %l0;
    st.global.u32 [%l1], %r1;
    st.global.u32 [%l1+4], %r2;
    st.global.u32 [%l1+8], %r3;)"),
                 out);
  for (unsigned i = 0; i < 64; ++i) {
    CHECK(out[3 * i] == 40);
    CHECK(out[3 * i + 1] == 0);
    CHECK(out[3 * i + 2] == 1);
  }
}

TEST_CASE("warps that have exited are not waited for") {
  PtxMachine machine;
  machine.run_ok(96, ptx_kernel(0, "setp.ge.u32 %p1, %r0, 32;\n@%p1 exit;\nbar.sync 0;"));
}

TEST_CASE("barriers that some lanes of a warp miss are reported") {
  PtxMachine machine;
  const auto exited =
      machine.run_fault(32, ptx_kernel(0, "setp.ge.u32 %p1, %r0, 16;\n@%p1 exit;\nbar.sync 0;"));
  CHECK(contains(exited, "divergent lanes: lanes 0xffff0000 of the warp have exited"));
  const auto apart = machine.run_fault(32, ptx_kernel(0, R"(setp.ge.u32 %p1, %r0, 16;
    @%p1 bra OTHER;
    bar.sync 0;
    bra END;
  OTHER:
    bar.sync 0;
  END:)"));
  CHECK(contains(apart, "divergent lanes: all that are left wait for others"));
  CHECK(contains(apart, "warp 0 lanes 0x0000ffff at PTX line 10, `bar.sync 0`"));
}

TEST_CASE("a barrier that not all warps reach is a deadlock") {
  PtxMachine machine;
  const auto fault = machine.run_fault(64, ptx_kernel(0, R"(setp.ge.u32 %p1, %r0, 32;
    @%p1 bra OTHER;
    bar.sync 1, 64;
  OTHER:
    bar.sync 2, 64;)"));
  CHECK(contains(fault, "deadlock: all that are left wait for others"));
  CHECK(contains(fault, "bar.sync 1, 64"));
  CHECK(contains(fault, "bar.sync 2, 64"));
}

TEST_CASE("wrong uses of barriers") {
  PtxMachine machine;
  CHECK(contains(machine.run_fault(32, ptx_kernel(0, "mov.u32 %r1, 16; bar.sync %r1;")), "barrier 16 of 16"));
  CHECK(contains(machine.run_fault(32, ptx_kernel(0, "bar.sync 0, 40;")), "it must be a multiple of 32"));
  CHECK(contains(machine.run_fault(32, ptx_kernel(0, "bar.sync %r0;")), "the lanes give different barriers"));
  CHECK(contains(machine.run_fault(32, ptx_kernel(0, "bar.arrive 1;")), "an arrive needs a thread count"));
}

TEST_CASE("bar.warp.sync brings the lanes of a mask together") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(32);
  machine.run_ok(32, ptx_kernel(1, R"(
    setp.lt.u32 %p1, %r0, 16;
    @%p1 bra LOW;
    mov.u32 %r1, 0;
  LOW:
    bar.warp.sync 0xffffffff;
    activemask.b32 %r2;
    mad.wide.u32 %l1, %r0, 4, %l0;
    st.global.u32 [%l1], %r2;)"),
                 out);
  for (unsigned i = 0; i < 32; ++i) CHECK(out[i] == 0xFFFFFFFF);
  CHECK(
      contains(machine.run_fault(32, ptx_kernel(0, "bar.warp.sync 0x0000ffff;")), "is not in its own mask"));
}
