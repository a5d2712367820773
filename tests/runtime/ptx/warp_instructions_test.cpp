// Lanes that talk to each other.
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;

namespace {

/// What %r1 is in each of 32 lanes after the body.
std::vector<std::uint32_t> results(const std::string& body) {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(32);
  machine.run_ok(32, ptx_kernel(1, body + "\n mad.wide.u32 %l9, %r0, 4, %l0; st.global.u32 [%l9], %r1;"),
                 out);
  return {out, out + 32};
}

/// shfl of `100 + lane`, plus 1000 where the lane's source was in range.
std::vector<std::uint32_t> shuffled(const std::string& mode, const std::string& by,
                                    const std::string& clamp) {
  return results("add.u32 %r2, %r0, 100;\nshfl.sync." + mode + ".b32 %r1|%p1, %r2, " + by + ", " + clamp +
                 ", 0xffffffff;\n@%p1 add.u32 %r1, %r1, 1000;");
}

}  // namespace

TEST_CASE("shfl in a whole warp") {
  const auto down = shuffled("down", "5", "0x1f");
  const auto up = shuffled("up", "5", "0");
  const auto butterfly = shuffled("bfly", "3", "0x1f");
  const auto indexed = shuffled("idx", "7", "0x1f");
  for (unsigned i = 0; i < 32; ++i) {
    CHECK(down[i] == (i + 5 < 32 ? 1100 + i + 5 : 100 + i));
    CHECK(up[i] == (i >= 5 ? 1100 + i - 5 : 100 + i));
    CHECK(butterfly[i] == 1100 + (i ^ 3));
    CHECK(indexed[i] == 1107);
  }
}

TEST_CASE("shfl in segments of eight") {
  // The segment's mask is 0x18 in bits 8 to 12.
  const auto down = shuffled("down", "3", "0x1807");
  const auto up = shuffled("up", "3", "0x1800");
  const auto indexed = shuffled("idx", "11", "0x1807");
  for (unsigned i = 0; i < 32; ++i) {
    CHECK(down[i] == (i % 8 + 3 < 8 ? 1100 + i + 3 : 100 + i));
    CHECK(up[i] == (i % 8 >= 3 ? 1100 + i - 3 : 100 + i));
    CHECK(indexed[i] == 1100 + i / 8 * 8 + 3);
  }
}

TEST_CASE("a lane that does not take part has no value to give") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(32);
  const auto fault = machine.run_fault(32, ptx_kernel(1, R"(
    setp.ge.u32 %p1, %r0, 16;
    @%p1 bra END;
    shfl.sync.idx.b32 %r1, %r0, 20, 0x1f, 0x0000ffff;
    mad.wide.u32 %l9, %r0, 4, %l0;
    st.global.u32 [%l9], %r1;
  END:)"),
                                       out);
  CHECK(fault.find("it is stored to global memory") != std::string::npos);
}

TEST_CASE("vote, ballot and activemask") {
  CHECK(results("setp.lt.u32 %p1, %r0, 7;\nvote.sync.ballot.b32 %r1, %p1, 0xffffffff;")[3] == 0x7F);
  const auto masked = results(R"(
    setp.lt.u32 %p1, %r0, 20;
    setp.lt.u32 %p2, %r0, 16;
    mov.u32 %r1, 5;
    @!%p2 bra HIGH;
    vote.sync.all.pred %p3, %p1, 0x0000ffff;
    bra MEET;
  HIGH:
    vote.sync.all.pred %p3, %p1, 0xffff0000;
  MEET:
    selp.u32 %r1, 1, 0, %p3;)");
  for (unsigned i = 0; i < 32; ++i) CHECK(masked[i] == (i < 16 ? 1 : 0));
  CHECK(results("setp.eq.u32 %p1, %r0, 9; vote.sync.any.pred %p2, %p1, -1; selp.u32 %r1, 1, 0, %p2;")[0] ==
        1);
  CHECK(results("setp.eq.u32 %p1, %r0, 9; vote.sync.uni.pred %p2, %p1, -1; selp.u32 %r1, 1, 0, %p2;")[0] ==
        0);
  CHECK(results("setp.eq.u32 %p1, %r0, 99; vote.sync.uni.pred %p2, !%p1, -1; selp.u32 %r1, 1, 0, %p2;")[0] ==
        1);
}

TEST_CASE("match finds the lanes with the same value") {
  const auto any = results("rem.u32 %r2, %r0, 3; match.any.sync.b32 %r1, %r2, -1;");
  for (unsigned i = 0; i < 32; ++i) {
    std::uint32_t expected = 0;
    for (unsigned j = i % 3; j < 32; j += 3) expected |= 1U << j;
    CHECK(any[i] == expected);
  }
  CHECK(results("match.all.sync.b32 %r1|%p1, %r0, -1;")[4] == 0);
  CHECK(results("mov.u32 %r2, 6; match.all.sync.b32 %r1|%p1, %r2, -1;")[4] == 0xFFFFFFFF);
}

TEST_CASE("redux") {
  CHECK(results("redux.sync.add.u32 %r1, %r0, -1;")[8] == 31 * 16);
  CHECK(results("redux.sync.max.u32 %r1, %r0, -1;")[8] == 31);
  CHECK(results("sub.s32 %r2, 5, %r0; redux.sync.min.s32 %r1, %r2, -1;")[8] ==
        static_cast<std::uint32_t>(-26));
  CHECK(results("mov.u32 %r2, 1; shl.b32 %r2, %r2, %r0; redux.sync.or.b32 %r1, %r2, -1;")[8] == 0xFFFFFFFF);
  CHECK(results("redux.sync.and.b32 %r1, %r0, -1;")[8] == 0);
  CHECK(results("redux.sync.xor.b32 %r1, %r0, -1;")[8] == 0);
}

TEST_CASE("elect picks one lane of the mask") {
  const auto all = results("elect.sync %r2|%p1, -1; selp.u32 %r1, 1, 0, %p1; mad.lo.u32 %r1, %r2, 10, %r1;");
  for (unsigned i = 0; i < 32; ++i) CHECK(all[i] == (i == 0 ? 1 : 0));
  const auto some = results(R"(
    mov.u32 %r1, 77;
    setp.lt.u32 %p2, %r0, 9;
    @%p2 bra END;
    elect.sync %r2|%p1, 0xfffffe00;
    selp.u32 %r1, 1, 0, %p1;
  END:)");
  for (unsigned i = 0; i < 32; ++i) CHECK(some[i] == (i < 9 ? 77 : i == 9 ? 1 : 0));
}
