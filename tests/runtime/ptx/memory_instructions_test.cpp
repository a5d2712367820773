// Loads, stores, and what is wrong with them.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"
#include "tests/support/ptx_snippet.h"

using namespace lathe::tests;

namespace {

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("narrow loads extend as their type says") {
  PtxMachine machine;
  auto* bytes = machine.upload(std::vector<std::uint32_t>{0xFFFE8081});
  auto* out = machine.allocate<std::uint32_t>(6);
  machine.run_ok(1, ptx_kernel(2, R"(
    ld.global.u8 %r1, [%l0];      st.global.u32 [%l1], %r1;
    ld.global.s8 %r1, [%l0];      st.global.u32 [%l1+4], %r1;
    ld.global.u16 %r1, [%l0+2];   st.global.u32 [%l1+8], %r1;
    ld.global.s16 %r1, [%l0+2];   st.global.u32 [%l1+12], %r1;
    ld.global.s32 %l5, [%l0];     st.global.u32 [%l1+16], %l5; shr.u64 %l6, %l5, 32; cvt.u32.u64 %r1, %l6;
    st.global.u32 [%l1+20], %r1;)"),
                 bytes, out);
  CHECK(std::vector(out, out + 6) ==
        std::vector<std::uint32_t>{0x81, 0xFFFFFF81, 0xFFFE, 0xFFFFFFFE, 0xFFFE8081, 0xFFFFFFFF});
}

TEST_CASE("vectors of two, four and eight") {
  PtxMachine machine;
  std::vector<std::uint32_t> values(16);
  for (unsigned i = 0; i < 16; ++i) values[i] = i * 3;
  auto* in = machine.upload(values);
  auto* out = machine.allocate<std::uint32_t>(16);
  machine.run_ok(1, ptx_kernel(2, R"(
    ld.global.nc.v4.u32 {%r1, %r2, %r3, %r4}, [%l0];
    st.global.v2.u32 [%l1+8], {%r1, %r2};
    st.global.v2.u32 [%l1], {%r3, %r4};
    ld.global.v2.b64 {%l5, %l6}, [%l0+16];
    st.global.v2.b64 [%l1+16], {%l6, %l5};
    ld.global.v8.b32 {%r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8}, [%l0+32];
    st.global.cs.v8.b32 [%l1+32], {%r8, %r7, %r6, %r5, %r4, %r3, %r2, %r1};)"),
                 in, out);
  CHECK(std::vector(out, out + 16) ==
        std::vector<std::uint32_t>{6, 9, 0, 3, 18, 21, 12, 15, 45, 42, 39, 36, 33, 30, 27, 24});
}

TEST_CASE("static, dynamic and generic shared memory") {
  PtxMachine machine;
  machine.facts.dynamic_shared_bytes = 256;
  auto* out = machine.allocate<std::uint32_t>(64);
  machine.run_ok(64,
                 ptx_kernel(1, R"(
    .shared .align 4 .b8 fixed[256];
    shl.b32 %r1, %r0, 2;
    cvt.u64.u32 %l1, %r1;
    mov.u64 %l2, fixed;
    add.s64 %l3, %l2, %l1;
    st.shared.u32 [%l3], %r0;
    mov.u32 %r2, dynamic;
    add.u32 %r3, %r2, %r1;
    mul.lo.u32 %r4, %r0, 100;
    st.shared.u32 [%r3], %r4;
    bar.sync 0;
    cvta.shared.u64 %l4, %l2;
    sub.u32 %r5, 252, %r1;
    cvt.u64.u32 %l5, %r5;
    add.s64 %l6, %l4, %l5;
    ld.u32 %r6, [%l6];
    add.u32 %r7, %r2, %r5;
    ld.shared.u32 %r8, [%r7];
    add.u32 %r9, %r6, %r8;
    add.s64 %l7, %l0, %l1;
    st.global.u32 [%l7], %r9;)",
                            ".extern .shared .align 16 .b8 dynamic[];\n"),
                 out);
  for (unsigned i = 0; i < 64; ++i) CHECK(out[i] == (63 - i) * 101);
}

TEST_CASE("local memory is each thread's own, variables are one for all, constants are read") {
  PtxMachine machine;
  machine.grid = {2, 1, 1};
  auto* out = machine.upload(std::vector<std::uint32_t>(4));
  machine.run_ok(2,
                 ptx_kernel(1, R"(
    .local .align 8 .b8 mine[16];
    mov.u64 %l1, mine;
    add.u32 %r1, %r0, 7;
    st.local.u32 [%l1+4], %r1;
    cvta.local.u64 %l2, %l1;
    ld.u32 %r2, [%l2+4];
    ld.const.u32 %r3, [table+4];
    add.u32 %r2, %r2, %r3;
    ld.global.u32 %r4, [sum];
    add.u32 %r2, %r2, %r4;
    mov.u32 %r5, %ctaid.x;
    mad.lo.u32 %r5, %r5, 2, %r0;
    mad.wide.u32 %l3, %r5, 4, %l0;
    st.global.u32 [%l3], %r2;)",
                            ".const .align 4 .u32 table[2] = {5, 100};\n.global .align 4 .u32 sum = 1000;\n"),
                 out);
  CHECK(std::vector(out, out + 4) == std::vector<std::uint32_t>{1107, 1108, 1107, 1108});
}

TEST_CASE("parameters are read by name, by address and through a generic address") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint64_t>(3);
  machine.run_ok(1, ptx_kernel(2, R"(
    mov.b64 %l3, p1;
    ld.param.u64 %l4, [%l3];
    st.global.u64 [%l0], %l4;
    cvta.param.u64 %l5, %l3;
    ld.u64 %l6, [%l5];
    st.global.u64 [%l0+8], %l6;
    ld.param.u32 %r1, [p1+4];
    st.global.u64 [%l0+16], %l6;
    st.global.u32 [%l0+16], %r1;)"),
                 out, std::uint64_t{0x1122334455667788});
  CHECK(out[0] == 0x1122334455667788);
  CHECK(out[1] == out[0]);
  CHECK(out[2] == 0x1122334411223344);
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.param.u32 %r1, [p0+8];"), out),
                 "access out of bounds: reads 4 bytes of param memory at 0x8, of 8 bytes of parameters"));
}

TEST_CASE("accesses beyond an allocation name it") {
  PtxMachine machine;
  auto* data = machine.upload(std::vector<std::uint32_t>(10));
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.u32 %r1, [%l0+40];"), data),
                 "access out of bounds: reads 4 bytes of global memory"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.u32 %r1, [%l0+40];"), data),
                 "0 bytes behind the end of the allocation of 40 bytes"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.u32 %r1, [%l0+-4];"), data),
                 "4 bytes before the allocation of 40 bytes"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.v2.u64 {%l5, %l6}, [%l0+32];"), data),
                 "which reaches beyond the end of the allocation of 40 bytes"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "mov.u64 %l5, 0; st.global.u32 [%l5], %r0;"), data),
                 "writes 4 bytes of global memory at 0x0"));
  // A bare pointer of the host is none of the device's.
  std::uint32_t host = 0;
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.u32 %r1, [%l0];"), &host),
                 "access out of bounds"));
  // Nothing was touched.
  CHECK(host == 0);
}

TEST_CASE("shared, local and constant memory have bounds too") {
  PtxMachine machine;
  CHECK(contains(machine.run_fault(1, ptx_kernel(0, ".shared .b8 s[8];\nld.shared.u32 %r1, [s+8];")),
                 "reads 4 bytes of shared memory at 0x408, offset 8 of the block's 8 bytes"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(0, "mov.u32 %r1, 0; st.shared.u32 [%r1], %r0;")),
                 "access out of bounds: writes 4 bytes of shared memory at 0x0"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(0, ".local .b8 l[8];\nst.local.u32 [l+8], %r0;")),
                 "access out of bounds: writes 4 bytes of local memory at 0x8, of the thread's 8 bytes"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(0, "ld.const.u32 %r1, [c+4];", ".const .u32 c = 1;\n")),
                 "0 bytes behind the end of the variable c"));
  CHECK(contains(
      machine.run_fault(1, ptx_kernel(0, "mov.u64 %l1, c; st.global.u32 [%l1], %r0;", ".const .u32 c;\n")),
      "store to constant memory: writes c"));
}

TEST_CASE("misaligned accesses are faults, whatever the host could do") {
  PtxMachine machine;
  auto* data = machine.upload(std::vector<std::uint32_t>(10));
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.u32 %r1, [%l0+2];"), data),
                 "misaligned access"));
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%l0+8];"), data),
                 "which is not a multiple of 16"));
}

TEST_CASE("memory that nobody wrote may not be read") {
  PtxMachine machine;
  auto* fresh = machine.allocate<std::uint32_t>(4);
  const std::string half_written = ptx_kernel(1, "st.global.u16 [%l0], %h1; ld.global.u32 %r1, [%l0];");
  CHECK(contains(machine.run_fault(1, ptx_kernel(1, "ld.global.u32 %r1, [%l0+4];"), fresh),
                 "reads 4 bytes of global memory that nobody wrote, 4 bytes from its beginning"));
  CHECK(contains(machine.run_fault(1,
                                   ptx_kernel(1,
                                              "mov.u16 %h1, 1; st.global.u16 [%l0], %h1;\n"
                                              "ld.global.u32 %r1, [%l0];"),
                                   fresh),
                 "that nobody wrote"));
  machine.run_ok(1, ptx_kernel(1, "mov.u16 %h1, 1; st.global.u16 [%l0+2], %h1;\nld.global.u32 %r1, [%l0];"),
                 fresh);
  CHECK(contains(machine.run_fault(1, ptx_kernel(0, ".shared .u32 s;\nld.shared.u32 %r1, [s];")),
                 "4 bytes of shared memory that nobody wrote"));
  // Local memory passes it on.
  machine.run_ok(1, ptx_kernel(0, ".local .u32 l;\nld.local.u32 %r1, [l]; add.u32 %r2, %r1, 1;"));
  machine.checks.definedness = false;
  machine.run_ok(1, ptx_kernel(0, ".shared .u32 s;\nld.shared.u32 %r1, [s];"));
}

TEST_CASE("hints change nothing") {
  PtxMachine machine;
  auto* data = machine.upload(std::vector<std::uint32_t>{42});
  auto* out = machine.allocate<std::uint32_t>(1);
  machine.run_ok(1, ptx_kernel(2, R"(
    prefetch.global.L2 [%l0];
    createpolicy.fractional.L2::evict_last.b64 %l5, 1.0;
    ld.global.L1::no_allocate.L2::cache_hint.L2::256B.u32 %r1, [%l0], %l5;
    st.global.L2::cache_hint.u32 [%l1], %r1, %l5;)"),
                 data, out);
  CHECK(*out == 42);
}

TEST_CASE("what cannot be loaded is refused") {
  const std::vector<std::uint32_t> one{1};
  CHECK_FALSE(try_evaluate<std::uint32_t>("ld.global.pred p, [l0];", one).has_value());
  CHECK_FALSE(try_evaluate<std::uint32_t>("ld.global.v2.u32 {r0, r1, r2}, [l0];", one).has_value());
  CHECK_FALSE(try_evaluate<std::uint32_t>("ld.global.u64 r0, [l0];", one).has_value());
  CHECK_FALSE(
      try_evaluate<std::uint32_t>("ld.global.v8.b64 {l0,l1,l2,l3,l4,l5,l6,l7}, [l0];", one).has_value());
  CHECK_FALSE(try_evaluate<std::uint32_t>("ld.global.strange.u32 r0, [l0];", one).has_value());
}
