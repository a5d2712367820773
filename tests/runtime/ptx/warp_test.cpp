// Lanes that part and meet again.
#include "runtime/ptx/warp.h"

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;

namespace {

/// What each of `threads` threads stores: the body leaves it in %r1.
std::vector<std::uint32_t> results(PtxMachine& machine, unsigned threads, const std::string& body) {
  auto* out = machine.allocate<std::uint32_t>(threads);
  machine.run_ok(threads, ptx_kernel(1, body + "\n mad.wide.u32 %l9, %r0, 4, %l0; st.global.u32 [%l9], %r1;"),
                 out);
  return {out, out + threads};
}

}  // namespace

TEST_CASE("both sides of a branch run, and meet behind it") {
  PtxMachine machine;
  const auto values = results(machine, 48, R"(
    setp.lt.u32 %p1, %r0, 5;
    @%p1 bra LOW;
    mov.u32 %r1, 100;
    bra MEET;
  LOW:
    mov.u32 %r1, 200;
  MEET:
    activemask.b32 %r2;
    add.u32 %r1, %r1, 1;
    popc.b32 %r2, %r2;
    mad.lo.u32 %r1, %r2, 1000, %r1;)");
  for (unsigned i = 0; i < 48; ++i) {
    const unsigned together = i < 32 ? 32 : 16;
    CHECK(values[i] == together * 1000 + (i < 5 ? 201 : 101));
  }
}

TEST_CASE("a loop runs as often as each lane wants") {
  PtxMachine machine;
  const auto values = results(machine, 32, R"(
    mov.u32 %r1, 0;
    mov.u32 %r2, 0;
  LOOP:
    setp.ge.u32 %p1, %r2, %r0;
    @%p1 bra DONE;
    add.u32 %r2, %r2, 1;
    add.u32 %r1, %r1, %r2;
    bra LOOP;
  DONE:)");
  for (unsigned i = 0; i < 32; ++i) CHECK(values[i] == i * (i + 1) / 2);
}

TEST_CASE("guards act on single instructions") {
  PtxMachine machine;
  const auto values = results(machine, 32, R"(
    and.b32 %r2, %r0, 1;
    setp.eq.u32 %p1, %r2, 1;
    mov.u32 %r1, 7;
    @%p1 mov.u32 %r1, 8;
    @!%p1 add.u32 %r1, %r1, 10;)");
  for (unsigned i = 0; i < 32; ++i) CHECK(values[i] == (i % 2 == 1 ? 8U : 17U));
}

TEST_CASE("brx.idx sends each lane to its own label") {
  PtxMachine machine;
  const auto values = results(machine, 32, R"(
    rem.u32 %r2, %r0, 3;
    targets: .branchtargets A, B, C;
    brx.idx %r2, targets;
  A:
    mov.u32 %r1, 11; bra END;
  B:
    mov.u32 %r1, 22; bra END;
  C:
    mov.u32 %r1, 33;
  END:
    activemask.b32 %r3; popc.b32 %r3, %r3; mad.lo.u32 %r1, %r3, 100, %r1;)");
  for (unsigned i = 0; i < 32; ++i) CHECK(values[i] == 3200 + 11 * (i % 3 + 1));
}

TEST_CASE("an index beyond the targets is an error") {
  PtxMachine machine;
  const auto fault = machine.run_fault(
      1, ptx_kernel(0, "targets: .branchtargets A;\n mov.u32 %r2, 1; brx.idx %r2, targets;\n A:"));
  CHECK(fault.find("the index is 1, the branch has 1 targets") != std::string::npos);
}

TEST_CASE("a lane that spins does not keep another of its warp from what it waits for") {
  // Lane 0 waits for a flag that lane 31 sets, behind the loop.
  for (const bool random : {false, true}) {
    PtxMachine machine;
    machine.random_schedule = random;
    auto* flag = machine.upload(std::vector<std::uint32_t>{0});
    machine.run_ok(32, ptx_kernel(1, R"(
      setp.ne.u32 %p1, %r0, 0;
      @%p1 bra SET;
    WAIT:
      ld.volatile.global.u32 %r1, [%l0];
      setp.eq.u32 %p2, %r1, 0;
      @%p2 bra WAIT;
    SET:
      setp.ne.u32 %p3, %r0, 31;
      @%p3 bra END;
      st.volatile.global.u32 [%l0], 1;
    END:)"),
                   flag);
    CHECK(*flag == 1);
  }
}

TEST_CASE("exit ends some lanes, the others go on") {
  PtxMachine machine;
  auto* out = machine.upload(std::vector<std::uint32_t>(32, 9));
  machine.run_ok(32, ptx_kernel(1, R"(
    setp.gt.u32 %p1, %r0, 3;
    @%p1 exit;
    mad.wide.u32 %l9, %r0, 4, %l0;
    st.global.u32 [%l9], %r0;)"),
                 out);
  for (unsigned i = 0; i < 32; ++i) CHECK(out[i] == (i > 3 ? 9 : i));
}

TEST_CASE("values that were never written may be moved, but not used") {
  PtxMachine machine;
  CHECK(machine.run_fault(32, ptx_kernel(0, "mov.u32 %r2, %r1; add.u32 %r3, %r2, 1;")) == "no fault");
  const auto branch = machine.run_fault(32, ptx_kernel(0, "setp.eq.u32 %p1, %r1, 0;\n@%p1 bra L;\nL:"));
  CHECK(branch.find("use of a value that was never written: the guard of the instruction depends on it") !=
        std::string::npos);
  auto* out = machine.allocate<std::uint32_t>(1);
  const auto store =
      machine.run_fault(1, ptx_kernel(1, "add.u32 %r2, %r1, 1;\nst.global.u32 [%l0], %r2;"), out);
  CHECK(store.find("it is stored to global memory") != std::string::npos);
  const auto address = machine.run_fault(1, ptx_kernel(1, "ld.global.u32 %r2, [%l5];"), out);
  CHECK(address.find("the address depends on it") != std::string::npos);
  machine.checks.definedness = false;
  CHECK(machine.run_fault(1, ptx_kernel(1, "st.global.u32 [%l0], %r2;"), out) == "no fault");
}

TEST_CASE("a report says where: block, thread, line and instruction") {
  PtxMachine machine;
  machine.grid = {3, 1, 1};
  const auto fault = machine.run_fault(64, ptx_kernel(0, R"(
    mov.u32 %r1, %ctaid.x;
    setp.ne.u32 %p1, %r1, 2;
    @%p1 ret;
    setp.ne.u32 %p2, %r0, 40;
    @%p2 ret;
    trap;)"));
  CHECK(fault == "kernel: trap: the kernel ended itself at block (2, 0, 0), PTX line 14");
}
