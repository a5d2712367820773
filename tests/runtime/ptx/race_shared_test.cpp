// Races in shared memory: between the warps of a block.
#include "tests/runtime/ptx/race_runs.h"

namespace {

using lathe::tests::expect_clean;
using lathe::tests::expect_race;

TEST_CASE("reading what another warp wrote needs a barrier") {
  expect_race(R"(
    @%first st.shared.u32 [%mine], %thread;
    @%second ld.shared.u32 %r1, [%other];
  )",
              {"@%first st", "@%second ld"});
  expect_clean(R"(
    @%first st.shared.u32 [%mine], %thread;
    bar.sync 0;
    @%second ld.shared.u32 %r1, [%other];
  )");
}

TEST_CASE("overwriting what another warp reads needs a barrier") {
  expect_race(R"(
    @%first st.shared.u32 [%mine], 1;
    bar.sync 0;
    @%second ld.shared.u32 %r1, [%other];
    @%first st.shared.u32 [%mine], 2;
  )",
              {"@%second ld", "[%mine], 2"});
  expect_clean(R"(
    @%first st.shared.u32 [%mine], 1;
    bar.sync 0;
    @%second ld.shared.u32 %r1, [%other];
    bar.sync 0;
    @%first st.shared.u32 [%mine], 2;
  )");
}

TEST_CASE("two warps that write the same bytes race, different bytes of a word do not") {
  expect_race(R"(
    mov.u32 %r0, tile;
    @%leader st.shared.u8 [%r0+3], %warp;
  )",
              {"st.shared.u8"});
  expect_clean(R"(
    mov.u32 %r0, tile;
    add.u32 %r0, %r0, %warp;
    @%leader st.shared.u8 [%r0], %warp;
  )");
  expect_clean(R"(
    mov.u32 %r0, tile;
    shl.b32 %r1, %warp, 1;
    add.u32 %r0, %r0, %r1;
    @%leader st.shared.u16 [%r0], %r1;
  )");
}

TEST_CASE("wide accesses race in each of their words") {
  expect_race(R"(
    mov.u32 %r0, tile;
    @%first st.shared.v4.u32 [%r0+16], {%warp, %warp, %warp, %warp};
    @%second ld.shared.u8 %r1, [%r0+29];
  )",
              {"st.shared.v4", "ld.shared.u8"});
  expect_clean(R"(
    mov.u32 %r0, tile;
    @%first st.shared.v4.u32 [%r0+16], {%warp, %warp, %warp, %warp};
    @%second ld.shared.v2.u32 {%r1, %r2}, [%r0+8];
    @%second ld.shared.u8 %r1, [%r0+32];
  )");
}

TEST_CASE("a named barrier orders what was before an arrival") {
  expect_clean(R"(
    @%second bra CONSUME;
    st.shared.u32 [%mine], 1;
    bar.arrive 1, 64;
    bar.sync 2, 64;
    st.shared.u32 [%mine], 2;
    bra END;
  CONSUME:
    bar.sync 1, 64;
    ld.shared.u32 %r1, [%other];
    bar.arrive 2, 64;
  END:
  )");
  expect_race(R"(
    @%second bra CONSUME;
    bar.arrive 1, 64;
    st.shared.u32 [%mine], 1;
    bra END;
  CONSUME:
    bar.sync 1, 64;
    ld.shared.u32 %r1, [%other];
  END:
  )",
              {"st.shared", "ld.shared"});
}

TEST_CASE("a named barrier orders nothing for those who only arrive") {
  expect_race(R"(
    @%second bra CONSUME;
    st.shared.u32 [%mine], 1;
    bar.arrive 1, 64;
    st.shared.u32 [%mine], 2;
    bra END;
  CONSUME:
    bar.sync 1, 64;
    ld.shared.u32 %r1, [%other];
  END:
  )",
              {"[%mine], 2", "ld.shared"});
}

TEST_CASE("barriers of other warps order nothing") {
  // Warps 0 and 2 meet at barrier 1, then 1 and 3 do.
  expect_race(R"(
    and.b32 %r1, %warp, 1;
    setp.eq.u32 %p0, %r1, 0;
    @%first st.shared.u32 [%mine], 1;
    @!%p0 bra ODD;
    bar.sync 1, 64;
    bar.arrive 3, 128;
    bra END;
  ODD:
    bar.sync 2, 64;
    @%second ld.shared.u32 %r1, [%other];
    bar.sync 3, 128;
  END:
  )",
              {"@%first st", "@%second ld"}, {.threads = 128});
}

TEST_CASE("a reduction is a barrier too") {
  expect_clean(R"(
    @%first st.shared.u32 [%mine], %thread;
    bar.red.popc.u32 %r2, 0, %first;
    @%second ld.shared.u32 %r1, [%other];
  )");
}

TEST_CASE("rounds of a double buffer need no more than one barrier each") {
  constexpr std::string_view kRounds = R"(
    mov.u32 %r3, 0;
  LOOP:
    and.b32 %r4, %r3, 1;
    shl.b32 %r4, %r4, 11;
    add.u32 %r5, %mine, %r4;
    add.u32 %r6, %other, %r4;
    st.shared.u32 [%r5], %r3;
    {}
    ld.shared.u32 %r1, [%r6];
    add.u32 %r3, %r3, 1;
    setp.lt.u32 %p0, %r3, 6;
    @%p0 bra LOOP;
  )";
  expect_clean(fmt::format(kRounds, "bar.sync 0;"));
  expect_race(fmt::format(kRounds, ""), {"st.shared", "ld.shared"});
}

TEST_CASE("the lanes of a warp are in step") {
  expect_clean(R"(
    st.shared.u32 [%mine], %thread;
    bar.warp.sync 0xffffffff;
    xor.b32 %r1, %mine, 4;
    ld.shared.u32 %r2, [%r1];
    bar.warp.sync 0xffffffff;
    st.shared.u32 [%mine], %r2;
  )");
}

TEST_CASE("lanes that store different values to the same bytes race") {
  expect_race(R"(
    mov.u32 %r0, tile;
    @%first st.shared.u32 [%r0+8], %lane;
  )",
              {"st.shared"});
  expect_race(R"(
    @%first st.global.v2.u32 [%data], {%r9, %lane};
  )",
              {"st.global"});
  expect_clean(R"(
    mov.u32 %r0, tile;
    @%first st.shared.u32 [%r0+8], 7;
    @%first st.global.v2.u32 [%data], {%r9, %r9};
  )");
  // Overlapping, but with the same bytes.
  expect_clean(R"(
    mov.u32 %r0, tile;
    add.u32 %r0, %r0, %lane;
    @%first st.shared.u8 [%r0], %lane;
    add.u32 %r1, %lane, 100;
    @%first st.volatile.shared.u32 [tile+64], %r1;
  )");
}

TEST_CASE("atomics do not race with each other") {
  expect_clean(R"(
    @%first st.shared.u32 [%mine], 0;
    bar.sync 0;
    atom.shared.add.u32 %r1, [tile], 1;
    red.shared.max.u32 [tile], %thread;
    bar.sync 0;
    ld.shared.u32 %r1, [tile];
  )");
}

TEST_CASE("an atomic races with a plain access") {
  expect_race(R"(
    atom.shared.add.u32 %r1, [tile], 1;
    ld.shared.u32 %r1, [tile];
  )",
              {"atom.shared", "ld.shared"});
  expect_race(R"(
    @%first st.shared.u32 [tile], 0;
    atom.shared.add.u32 %r1, [tile], 1;
  )",
              {"st.shared", "atom.shared"});
}

TEST_CASE("volatile accesses race only with plain ones") {
  expect_clean(R"(
    st.volatile.shared.u32 [%mine], 1;
    ld.volatile.shared.u32 %r1, [%other];
  )");
  expect_race(R"(
    st.volatile.shared.u32 [%mine], 1;
    ld.shared.u32 %r1, [%other];
  )",
              {"st.volatile", "ld.shared"});
}

TEST_CASE("a warp that waits for a flag in shared memory") {
  constexpr std::string_view kFlag = R"(
    @%second bra WAIT;
    st.shared.u32 [%mine], 1;
    {}
    bra END;
  WAIT:
    {}
    setp.eq.u32 %p0, %r1, 0;
    @%p0 bra WAIT;
    {}
    ld.shared.u32 %r2, [%other];
  END:
  )";
  expect_clean(fmt::format(kFlag, "@%leader st.release.cta.shared.u32 [tile+1024], 1;",
                           "ld.acquire.cta.shared.u32 %r1, [tile+1024];", ""));
  expect_clean(fmt::format(kFlag, "membar.cta; @%leader st.volatile.shared.u32 [tile+1024], 1;",
                           "ld.volatile.shared.u32 %r1, [tile+1024];", "membar.cta;"));
  expect_race(fmt::format(kFlag, "@%leader st.relaxed.cta.shared.u32 [tile+1024], 1;",
                          "ld.acquire.cta.shared.u32 %r1, [tile+1024];", ""),
              {"st.shared.u32 [%mine]", "ld.shared"});
  expect_race(fmt::format(kFlag, "@%leader st.release.cta.shared.u32 [tile+1024], 1;",
                          "ld.relaxed.cta.shared.u32 %r1, [tile+1024];", ""),
              {"st.shared.u32 [%mine]", "ld.shared"});
}

}  // namespace
