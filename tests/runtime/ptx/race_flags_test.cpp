// Flags in global memory: what orders the blocks that raise them and those that wait for them.
#include "tests/runtime/ptx/race_runs.h"

namespace {

using lathe::tests::expect_clean;
using lathe::tests::expect_race;
using lathe::tests::RaceRun;

constexpr RaceRun kTwo{.blocks = 2, .threads = 32};

/// Block 0 writes and raises a flag; block 1 waits for it and reads.
std::string flag(std::string_view raise, std::string_view look, std::string_view behind = "") {
  return fmt::format(R"(
    @!%home bra WAIT;
    st.global.u32 [%data+64], 1;
    {}
    ret;
  WAIT:
    {}
    setp.eq.u32 %p1, %r1, 0;
    @%p1 bra WAIT;
    {}
    ld.global.u32 %r2, [%data+64];
    @%leader st.global.u32 [%data], 0;
  )",
                     raise, look, behind);
}

TEST_CASE("a flag is raised by a release and seen by an acquire") {
  expect_clean(
      flag("@%leader st.release.gpu.global.u32 [%data], 1;", "ld.acquire.gpu.global.u32 %r1, [%data];"),
      kTwo);
  expect_clean(flag("membar.gl; @%leader st.relaxed.gpu.global.u32 [%data], 1;",
                    "ld.relaxed.gpu.global.u32 %r1, [%data];", "fence.acq_rel.gpu;"),
               kTwo);
  expect_clean(flag("membar.gl; @%leader st.volatile.global.u32 [%data], 1;",
                    "ld.volatile.global.u32 %r1, [%data];", "membar.gl;"),
               kTwo);
  expect_clean(flag("@%leader red.release.gpu.global.add.u32 [%data], 1;",
                    "atom.acquire.gpu.global.or.b32 %r1, [%data], 0;"),
               {.blocks = 2, .threads = 1});
}

TEST_CASE("a flag that is not released, or not acquired, orders nothing") {
  for (const std::string_view raise : {"st.relaxed.gpu.global.u32", "st.volatile.global.u32"}) {
    expect_race(
        flag(fmt::format("@%leader {} [%data], 1;", raise), "ld.acquire.gpu.global.u32 %r1, [%data];"),
        {"st.global.u32 [%data+64]", "ld.global"}, kTwo);
  }
  expect_race(
      flag("@%leader st.release.gpu.global.u32 [%data], 1;", "ld.relaxed.gpu.global.u32 %r1, [%data];"),
      {"st.global.u32 [%data+64]", "ld.global"}, kTwo);
}

TEST_CASE("what is written after the flag was raised is not released by it") {
  constexpr std::string_view kLate =
      "membar.gl; @%leader st.relaxed.gpu.global.u32 [%data], 1; "
      "st.global.u32 [%data+64], 2;";
  expect_race(flag(kLate, "ld.acquire.gpu.global.u32 %r1, [%data];"), {"ld.global", "membar.gl"}, kTwo);
}

TEST_CASE("a flag that is raised by a plain store races itself") {
  expect_race(R"(
    @%home st.global.u32 [%data], 1;
    @!%home ld.acquire.gpu.global.u32 %r1, [%data];
  )",
              {"st.global", "ld.acquire"}, kTwo);
}

TEST_CASE("flags make chains") {
  // Block 1 passes on to block 2 what it learned of block 0.
  constexpr std::string_view kChain = R"(
    setp.eq.u32 %p1, %block, 1;
    @!%home bra FIRST;
    st.global.u32 [%data+64], 1;
    @%leader st.release.gpu.global.u32 [%data], 1;
    ret;
  FIRST:
    @!%p1 bra SECOND;
    ld.acquire.gpu.global.u32 %r1, [%data];
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra FIRST;
    {}
    ret;
  SECOND:
    ld.acquire.gpu.global.u32 %r1, [%data+4];
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra SECOND;
    ld.global.u32 %r2, [%data+64];
  )";
  const RaceRun shape{.blocks = 3, .threads = 32, .workers = 3};
  expect_clean(fmt::format(kChain, "@%leader st.release.gpu.global.u32 [%data+4], 1;"), shape);
  expect_race(fmt::format(kChain, "@%leader st.relaxed.gpu.global.u32 [%data+4], 1;"),
              {"st.global.u32 [%data+64]", "ld.global"}, shape);
}

TEST_CASE("blocks that meet in global memory take turns") {
  // A barrier of the whole grid, twice; in between each block reads what its neighbour has written.
  constexpr std::string_view kTurns = R"(
    xor.b32 %r1, %block, 1;
    mul.wide.u32 %d1, %block, 4;
    mul.wide.u32 %d2, %r1, 4;
    add.u64 %d1, %data, %d1;
    add.u64 %d2, %data, %d2;
    setp.eq.u32 %p0, %thread, 0;
    mov.u32 %r3, 0;
  ROUND:
    @%p0 st.global.u32 [%d1+64], %r3;
    add.u32 %r3, %r3, 2;
    bar.sync 0;
    @!%p0 bra MET;
    {}
    atom.global.add.u32 %r4, [%data], 1;
  SPIN:
    ld.volatile.global.u32 %r4, [%data];
    setp.lt.u32 %p1, %r4, %r3;
    @%p1 bra SPIN;
    {}
  MET:
    bar.sync 0;
    @%second ld.global.u32 %r5, [%d2+64];
    add.u64 %d1, %d1, 8;
    add.u64 %d2, %d2, 8;
    setp.lt.u32 %p1, %r3, 6;
    @%p1 bra ROUND;
  )";
  const RaceRun shape{.blocks = 2, .threads = 64};
  expect_clean(fmt::format(kTurns, "membar.gl;", "membar.gl;"), shape);
  expect_race(fmt::format(kTurns, "", "membar.gl;"), {"@%p0 st.global", "@%second ld"}, shape);
  expect_race(fmt::format(kTurns, "membar.gl;", ""), {"@%p0 st.global", "@%second ld"}, shape);
}

}  // namespace
