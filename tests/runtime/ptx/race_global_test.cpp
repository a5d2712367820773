// Races in global memory: between blocks that run on several threads of the host.
#include "tests/runtime/ptx/race_runs.h"

namespace {

using lathe::tests::expect_clean;
using lathe::tests::expect_race;
using lathe::tests::RaceRun;

constexpr RaceRun kTwo{.blocks = 2, .threads = 32};
constexpr RaceRun kMany{.blocks = 12, .threads = 64, .workers = 3};

TEST_CASE("blocks that write the same word race") {
  expect_race("@%leader st.global.u32 [%data], %block;", {"st.global"}, kTwo);
  expect_race("@%leader st.global.u32 [%data+4], 5;", {"st.global"}, kTwo);
}

TEST_CASE("blocks that write different bytes do not race") {
  expect_clean(R"(
    mul.wide.u32 %d1, %block, 4;
    add.u64 %d1, %data, %d1;
    @%leader st.global.u32 [%d1], %block;
  )",
               kTwo);
  expect_clean(R"(
    cvt.u64.u32 %d1, %block;
    add.u64 %d1, %data, %d1;
    @%leader st.global.u8 [%d1], %block;
  )",
               {.blocks = 4, .threads = 32});
}

TEST_CASE("blocks that read what another writes race") {
  expect_race(R"(
    @%home st.global.u32 [%data], 1;
    @!%home ld.global.u32 %r1, [%data];
  )",
              {"@%home st", "@!%home ld"}, kTwo);
  expect_race(R"(
    @!%home st.global.v4.u32 [%data+16], {%r1, %r1, %r1, %r1};
    @%home ld.global.nc.u16 %r1, [%data+28];
  )",
              {"@!%home st", "@%home ld"}, kTwo);
  expect_clean("ld.global.u32 %r1, [%data];", kMany);
}

TEST_CASE("a write races with more readers than are remembered") {
  expect_race(R"(
    setp.eq.u32 %p1, %block, 11;
    @!%p1 ld.global.u32 %r1, [%data];
    @%p1 st.global.u32 [%data], 1;
  )",
              {"ld.global", "st.global"}, kMany);
}

TEST_CASE("atomics of different blocks do not race") {
  expect_clean(R"(
    atom.global.add.u32 %r1, [%data], 1;
    red.relaxed.gpu.global.add.u32 [%data+4], 1;
    @%leader st.relaxed.gpu.global.u32 [%data+8], %block;
    ld.volatile.global.u32 %r1, [%data+8];
  )",
               kMany);
  expect_race(R"(
    @%home atom.global.add.u32 %r1, [%data], 1;
    @!%home ld.global.u32 %r1, [%data];
  )",
              {"atom.global", "ld.global"}, kTwo);
  expect_race(R"(
    @%home st.relaxed.gpu.global.u32 [%data], 1;
    @!%home st.global.u32 [%data], 1;
  )",
              {"st.relaxed", "st.global"}, kTwo);
}

TEST_CASE("launches are ordered") {
  expect_clean(R"(
    mul.wide.u32 %d1, %thread, 4;
    add.u64 %d1, %data, %d1;
    @!%home ret;
    ld.global.u32 %r1, [%d1];
    add.u32 %r1, %r1, 1;
    st.global.u32 [%d1], %r1;
  )",
               {.blocks = 2, .threads = 64, .launches = 3});
}

TEST_CASE("the warps of a block race in global memory too") {
  constexpr std::string_view kBody = R"(
    mul.wide.u32 %d1, %thread, 4;
    xor.b64 %d2, %d1, 128;
    add.u64 %d1, %data, %d1;
    add.u64 %d2, %data, %d2;
    @%first st.global.u32 [%d1], 1;
    {}
    @%second ld.global.u32 %r1, [%d2];
  )";
  expect_race(fmt::format(kBody, ""), {"@%first st", "@%second ld"});
  expect_clean(fmt::format(kBody, "bar.sync 0;"));
}

/// Each block stores a partial result, warp 1 its half; the last to take a ticket reads all of them.
struct LastBlock {
  std::string_view before_barrier{};
  std::string_view barrier = "bar.sync 0;";
  std::string_view before_ticket = "membar.gl;";
  std::string_view ticket = "atom.global.inc.u32 %r4, [%data], 1000;";
  std::string_view after_ticket = "membar.gl;";
  std::string_view behind_barrier{};

  std::string text() const {
    return fmt::format(R"(
    mad.lo.u32 %r1, %block, 64, %thread;
    mul.wide.u32 %d1, %r1, 4;
    add.u64 %d1, %data, %d1;
    st.global.u32 [%d1+64], %thread;
    {}
    {}
    setp.ne.u32 %p1, %thread, 0;
    @%p1 bra JOIN;
    {}
    {}
    {}
    st.shared.u32 [tile], %r4;
  JOIN:
    bar.sync 0;
    {}
    ld.shared.u32 %r4, [tile];
    setp.ne.u32 %p2, %r4, 11;
    @%p2 ret;
    mul.wide.u32 %d1, %thread, 4;
    add.u64 %d1, %data, %d1;
    mov.u32 %r5, 0;
  SUM:
    ld.global.u32 %r6, [%d1+64];
    add.u64 %d1, %d1, 256;
    add.u32 %r5, %r5, 1;
    setp.lt.u32 %p3, %r5, 12;
    @%p3 bra SUM;
    setp.eq.u32 %p4, %thread, 0;
    @%p4 st.global.u32 [%data], 0;
  )",
                       before_barrier, barrier, before_ticket, ticket, after_ticket, behind_barrier);
  }
};

TEST_CASE("the last block may read what all have written") {
  expect_clean(LastBlock{}.text(), kMany);
  expect_clean(LastBlock{.before_ticket = "fence.acq_rel.gpu;", .after_ticket = "fence.sc.gpu;"}.text(),
               kMany);
  expect_clean(LastBlock{.before_ticket = "",
                         .ticket = "atom.acq_rel.gpu.global.add.u32 %r4, [%data], 1;",
                         .after_ticket = ""}
                   .text(),
               kMany);
}

TEST_CASE("fences of all threads reach through the barrier between them and the ticket") {
  expect_clean(LastBlock{.before_barrier = "membar.gl;",
                         .before_ticket = "",
                         .after_ticket = "",
                         .behind_barrier = "membar.gl;"}
                   .text(),
               kMany);
}

TEST_CASE("the last block reads too early without fences around the ticket") {
  expect_race(LastBlock{.before_ticket = ""}.text(), {"st.global.u32 [%d1+64]", "ld.global"}, kMany);
  expect_race(LastBlock{.after_ticket = ""}.text(), {"st.global.u32 [%d1+64]", "ld.global"}, kMany);
  expect_race(
      LastBlock{.before_ticket = "", .ticket = "atom.acquire.gpu.global.add.u32 %r4, [%data], 1;"}.text(),
      {"st.global.u32 [%d1+64]", "ld.global"}, kMany);
}

TEST_CASE("the fence before the ticket covers only those who met the thread that takes it") {
  expect_race(LastBlock{.barrier = ""}.text(), {"st.global.u32 [%d1+64]", "ld.global"}, kMany);
}

}  // namespace
