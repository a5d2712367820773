// Device functions.
#include "runtime/ptx/call_instructions.h"

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;

namespace {

// twice(x) = x + x; sum(x, y) calls it: x + 2 y.
constexpr const char* kFunctions = R"(
.func (.param .b32 result) twice(.param .b32 x)
{
  .reg .b32 %r<4>;
  ld.param.u32 %r1, [x];
  add.u32 %r2, %r1, %r1;
  st.param.u32 [result], %r2;
  ret;
}
.func (.param .b32 result) sum(.param .b32 x, .param .b32 y)
{
  .reg .b32 %r<4>;
  .reg .pred %p<2>;
  ld.param.u32 %r1, [x];
  ld.param.u32 %r2, [y];
  setp.gt.u32 %p1, %r1, 20;
  @%p1 bra LARGE;
  {
  .param .b32 given;
  .param .b32 back;
  st.param.u32 [given], %r2;
  call (back), twice, (given);
  ld.param.u32 %r3, [back];
  }
  add.u32 %r1, %r1, %r3;
LARGE:
  st.param.u32 [result], %r1;
  ret;
}
)";

constexpr const char* kCallSum = R"(
  .param .b32 a;
  .param .b32 b;
  .param .b32 c;
  st.param.u32 [a], %r0;
  st.param.u32 [b], 1000;
  call.uni (c), sum, (a, b);
  ld.param.u32 %r1, [c];
  mad.wide.u32 %l9, %r0, 4, %l0;
  st.global.u32 [%l9], %r1;)";

}  // namespace

TEST_CASE("calls nest, diverge and return values") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(64);
  machine.run_ok(64, ptx_kernel(1, kCallSum, kFunctions), out);
  for (unsigned i = 0; i < 64; ++i) CHECK(out[i] == (i > 20 ? i : i + 2000));
}

TEST_CASE("only those whose guard holds are called") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(32);
  machine.run_ok(32,
                 ptx_kernel(1, R"(
    .param .b32 a;
    .param .b32 c;
    mov.u32 %r1, 5;
    setp.lt.u32 %p1, %r0, 4;
    st.param.u32 [a], %r0;
    @%p1 call (c), twice, (a);
    @%p1 ld.param.u32 %r1, [c];
    mad.wide.u32 %l9, %r0, 4, %l0;
    st.global.u32 [%l9], %r1;)",
                            kFunctions),
                 out);
  for (unsigned i = 0; i < 32; ++i) CHECK(out[i] == (i < 4 ? 2 * i : 5));
}

TEST_CASE("an argument that was not stored is undefined in the callee") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(1);
  const auto fault = machine.run_fault(1,
                                       ptx_kernel(1, R"(
    .param .b32 a;
    .param .b32 c;
    call (c), twice, (a);
    ld.param.u32 %r1, [c];
    st.global.u32 [%l0], %r1;)",
                                                  kFunctions),
                                       out);
  CHECK(fault.find("it is stored to global memory") != std::string::npos);
}

TEST_CASE("recursion and functions without a body are refused when the kernel is loaded") {
  PtxMachine machine;
  const auto recursive =
      machine.run_fault(1, ptx_kernel(0, "call again;", ".func again() { call again; ret; }\n"));
  CHECK(recursive.find("the function again calls itself") != std::string::npos);
  const auto missing = machine.run_fault(1, ptx_kernel(0, "call nowhere;", ".extern .func nowhere();\n"));
  CHECK(missing.find("the function nowhere is called but not there") != std::string::npos);
}
