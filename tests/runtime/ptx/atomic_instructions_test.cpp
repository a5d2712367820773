// atom and red.
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/ptx/half.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;

namespace {

/// What memory holds after 256 threads of 4 blocks have executed the instruction on it, with %r1 = their
/// number in the grid, 0 to 255.
template <class T>
T after(const std::string& instruction, T before) {
  PtxMachine machine;
  machine.grid = {4, 1, 1};
  machine.workers = 2;
  auto* memory = machine.upload(std::vector<T>{before});
  machine.run_ok(64, ptx_kernel(1, "mov.u32 %r2, %ctaid.x; mad.lo.u32 %r1, %r2, 64, %r0;\n" + instruction),
                 memory);
  return *memory;
}

}  // namespace

TEST_CASE("integer atomics of many blocks lose nothing") {
  CHECK(after<std::uint32_t>("red.global.add.u32 [%l0], %r1;", 5) == 5 + 255 * 128);
  CHECK(after<std::uint64_t>("cvt.u64.u32 %l1, %r1; red.relaxed.gpu.global.add.u64 [%l0], %l1;",
                             1ULL << 40) == (1ULL << 40) + 255 * 128);
  CHECK(after<std::uint32_t>("atom.global.max.u32 %r3, [%l0], %r1;", 17) == 255);
  CHECK(after<std::int32_t>("sub.s32 %r1, 100, %r1; red.global.min.s32 [%l0], %r1;", 17) == -155);
  CHECK(after<std::uint32_t>("red.global.or.b32 [%l0], %r1;", 0) == 255);
  CHECK(after<std::uint32_t>("red.global.and.b32 [%l0], %r1;", ~0U) == 0);
  CHECK(after<std::uint32_t>("red.global.xor.b32 [%l0], %r1;", 3) == 3);
  // 256 steps of a counter that wraps behind 9, up and down.
  CHECK(after<std::uint32_t>("red.global.inc.u32 [%l0], 9;", 0) == 6);
  CHECK(after<std::uint32_t>("red.global.dec.u32 [%l0], 9;", 0) == 4);
}

TEST_CASE("floating-point atomics") {
  CHECK(after<float>("red.global.add.f32 [%l0], 0f3F000000;", 1) == 129);
  CHECK(after<double>("red.global.add.f64 [%l0], 0d3FE0000000000000;", 1) == 129);
  const std::uint32_t halves = 0x3C00'4000;  // f16 1 and 2
  CHECK(after<std::uint32_t>("mov.u32 %r3, 0x3c003c00; red.global.add.noftz.f16x2 [%l0], %r3;", halves) ==
        0x5C04'5C08);  // 257 and 258
  const std::uint32_t bfloats = 0x3F80'4000;
  // 256 ones: beyond 256 nothing that small counts in bf16.
  CHECK(after<std::uint32_t>("mov.u32 %r3, 0x3f803f80; red.global.add.noftz.bf16x2 [%l0], %r3;", bfloats) ==
        0x4380'4380);
}

TEST_CASE("additions of f32 flush denormals in global memory, not in shared") {
  const float denormal = 1e-40F;
  CHECK(after<float>("red.global.add.f32 [%l0], 0f00000000;", denormal) == 0);
  PtxMachine machine;
  auto* out = machine.upload(std::vector<float>{denormal});
  machine.run_ok(1, ptx_kernel(1, R"(
    .shared .f32 s;
    ld.global.f32 %f1, [%l0];
    st.shared.f32 [s], %f1;
    atom.shared.add.f32 %f2, [s], %f1;
    ld.shared.f32 %f3, [s];
    st.global.f32 [%l0], %f3;)"),
                 out);
  CHECK(*out == denormal + denormal);
}

TEST_CASE("exchange and compare-and-swap return what was there") {
  PtxMachine machine;
  auto* memory = machine.upload(std::vector<std::uint32_t>{7, 0, 0, 0});
  machine.run_ok(1, ptx_kernel(1, R"(
    atom.global.exch.b32 %r1, [%l0], 8;
    atom.acq_rel.gpu.global.cas.b32 %r2, [%l0], 8, 9;
    atom.global.cas.b32 %r3, [%l0], 8, 10;
    st.global.u32 [%l0+4], %r1;
    st.global.u32 [%l0+8], %r2;
    st.global.u32 [%l0+12], %r3;)"),
                 memory);
  CHECK(std::vector(memory, memory + 4) == std::vector<std::uint32_t>{9, 7, 8, 9});
}

TEST_CASE("each lane gets its own ticket") {
  PtxMachine machine;
  machine.grid = {4, 1, 1};
  machine.workers = 2;
  auto* counter = machine.upload(std::vector<std::uint32_t>{0});
  auto* seen = machine.upload(std::vector<std::uint32_t>(256));
  machine.run_ok(64, ptx_kernel(2, R"(
    atom.global.add.u32 %r1, [%l0], 1;
    mad.wide.u32 %l2, %r1, 4, %l1;
    red.global.add.u32 [%l2], 1;)"),
                 counter, seen);
  CHECK(std::vector(seen, seen + 256) == std::vector<std::uint32_t>(256, 1));
}

TEST_CASE("vectors of additions") {
  PtxMachine machine;
  auto* memory = machine.upload(std::vector<float>{1, 2, 3, 4});
  machine.run_ok(32, ptx_kernel(1, R"(
    mov.f32 %f1, 0f3F800000;
    red.global.add.v4.f32 [%l0], {%f1, %f1, %f1, %f1};)"),
                 memory);
  CHECK(std::vector(memory, memory + 4) == std::vector<float>{33, 34, 35, 36});
}

TEST_CASE("what is wrong with an atomic") {
  PtxMachine machine;
  auto* memory = machine.allocate<std::uint32_t>(2);
  CHECK(machine.run_fault(1, ptx_kernel(1, "red.global.add.u32 [%l0], 1;"), memory).find("nobody wrote") !=
        std::string::npos);
  CHECK(machine.run_fault(1, ptx_kernel(1, "red.global.add.u32 [%l0+2], 1;"), memory).find("misaligned") !=
        std::string::npos);
  CHECK(machine.run_fault(1, ptx_kernel(1, "red.global.add.u32 [%l0+8], 1;"), memory).find("out of bounds") !=
        std::string::npos);
  CHECK(machine.run_fault(1, ptx_kernel(1, "red.global.inc.s32 [%l0], 1;"), memory).find("no such atomic") !=
        std::string::npos);
}
