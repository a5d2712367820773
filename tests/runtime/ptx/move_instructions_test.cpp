#include <cstdint>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"
#include "tests/support/ptx_snippet.h"

using namespace lathe::tests;

namespace {
using Words = std::vector<std::uint32_t>;
using Longs = std::vector<std::uint64_t>;
}  // namespace

TEST_CASE("mov packs and takes apart, the lower part first") {
  CHECK(evaluate<std::uint64_t>("mov.b64 d, {a, b};", Words{1}, Words{2}) == Longs{0x2'0000'0001});
  CHECK(evaluate<std::uint32_t>("mov.b64 {_, d}, a;", Longs{0x1122334455667788}) == Words{0x11223344});
  CHECK(evaluate<std::uint32_t>("mov.b64 {d, r1}, a;", Longs{0x1122334455667788}) == Words{0x55667788});
  CHECK(evaluate<std::uint32_t>("mov.b32 {h0, h1}, a; mov.b32 d, {h1, h0};", Words{0x11223344}) ==
        Words{0x33441122});
  CHECK(evaluate<std::uint64_t>("mov.b64 {h0, h1, h2, h3}, a; mov.b64 d, {h3, h2, h1, h0};",
                                Longs{0x1111222233334444}) == Longs{0x4444333322221111});
}

TEST_CASE("mov of constants of every kind") {
  const Words one{1};
  CHECK(evaluate<float>("mov.f32 d, 0f40490FDB;", one) == std::vector<float>{3.14159274F});
  CHECK(evaluate<float>("mov.f32 d, 1.5;", one) == std::vector<float>{1.5F});
  CHECK(evaluate<double>("mov.f64 d, 0d3FF8000000000000;", one) == std::vector<double>{1.5});
  CHECK(evaluate<std::uint32_t>("mov.s32 d, -65536;", one) == Words{0xFFFF0000});
  CHECK(evaluate<std::uint64_t>("mov.u64 d, -1;", one) == Longs{~0ULL});
  CHECK(evaluate<Flag>("mov.pred d, 1;", one) == std::vector<Flag>{Flag::yes});
}

TEST_CASE("special registers") {
  PtxMachine machine;
  machine.facts.cluster = {2, 1, 1};
  machine.facts.dynamic_shared_bytes = 48;
  machine.grid = {4, 3, 2};
  auto* out = machine.upload(Words(12));
  machine.facts.block = {8, 4, 2};
  const auto done = machine.run(ptx_kernel(1, R"(
    mov.u32 %r1, %tid.y; mov.u32 %r2, %tid.z; mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ctaid.y;
    mov.u32 %r5, %ctaid.z; mov.u32 %r6, %laneid; mov.u32 %r7, %warpid; mov.u32 %r8, %nctaid.y;
    mov.u32 %r9, %ntid.x; mov.u32 %r10, %clusterid.x; mov.u32 %r11, %cluster_ctarank;
    mov.u32 %r12, %dynamic_smem_size; mov.u32 %r13, %lanemask_lt;
    setp.ne.u32 %p1, %r0, 3; setp.ne.or.u32 %p1, %r1, 2, %p1; setp.ne.or.u32 %p1, %r2, 1, %p1;
    setp.ne.or.u32 %p1, %r3, 3, %p1; setp.ne.or.u32 %p1, %r4, 1, %p1; setp.ne.or.u32 %p1, %r5, 1, %p1;
    @%p1 ret;
    st.global.v4.u32 [%l0], {%r6, %r7, %r8, %r9};
    st.global.v4.u32 [%l0+16], {%r10, %r11, %r12, %r13};)"),
                                packed_parameters(out));
  REQUIRE(done.has_value());
  // Thread 3 + 8 * (2 + 4 * 1) = 51: lane 19 of warp 1.
  CHECK(std::vector(out, out + 8) == Words{19, 1, 3, 8, 1, 1, 48, 0x7FFFF});
}

TEST_CASE("clocks go forward") {
  CHECK(evaluate<Flag>("mov.u64 l0, %clock64; mov.u64 l1, %clock64; setp.gt.u64 d, l1, l0;", Words{1}) ==
        std::vector<Flag>{Flag::yes});
  CHECK(evaluate<Flag>("mov.u64 l0, %globaltimer; mov.u32 r1, %clock; mov.u64 l1, %globaltimer;\n"
                       "setp.gt.u64 d, l1, l0;",
                       Words{1}) == std::vector<Flag>{Flag::yes});
}

TEST_CASE("generic addresses know their space") {
  const Words one{1};
  CHECK(evaluate<Flag>(".shared .u32 s;\nmov.u64 l0, s; cvta.shared.u64 l1, l0; isspacep.shared d, l1;",
                       one) == std::vector<Flag>{Flag::yes});
  CHECK(evaluate<Flag>(".shared .u32 s;\nmov.u64 l0, s; cvta.shared.u64 l1, l0; isspacep.global d, l1;",
                       one) == std::vector<Flag>{Flag::no});
  CHECK(evaluate<Flag>("cvta.global.u64 l1, array; isspacep.global d, l1;", one) ==
        std::vector<Flag>{Flag::yes});
  CHECK(evaluate<Flag>(".local .u32 s;\nmov.u64 l0, s; cvta.local.u64 l1, l0; cvta.to.local.u64 l2, l1;\n"
                       "setp.eq.u64 d, l0, l2;",
                       one) == std::vector<Flag>{Flag::yes});
}

TEST_CASE("what mov cannot do is refused") {
  CHECK_FALSE(try_evaluate<std::uint32_t>("mov.b32 d, %unknown;", Words{1}).has_value());
  CHECK_FALSE(try_evaluate<std::uint32_t>("mov.b64 d, a;", Words{1}).has_value());
  CHECK_FALSE(try_evaluate<std::uint32_t>("mov.b128 d, a;", Words{1}).has_value());
  CHECK_FALSE(try_evaluate<std::uint32_t>("mov.b32 d, !p;", Words{1}).has_value());
}
