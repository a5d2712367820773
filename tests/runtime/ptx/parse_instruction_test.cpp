#include "runtime/ptx/parse_instruction.h"

#include <string>
#include <string_view>

#include "tests/runtime/ptx/ptx_text.h"

using lathe::testing::complaint_of_module;
using lathe::testing::error_of;
using lathe::testing::kernel;
using lathe::testing::kernel_text;
using Kind = lathe::runtime::ptx::Operand::Kind;
using Names = std::vector<std::string_view>;

TEST_CASE("ptx operands: opcode and modifiers") {
  const auto k = kernel(
      "ld.global.nc.L1::no_allocate.L2::128B.v2.b32 {%r1, %r2}, [%rd1];\nbarrier.cluster.arrive.aligned;\n"
      "ld.shared::cluster.f32 %f1, [%r1];\ncreatepolicy.fractional.L2::evict_last.b64 %rd1, 1.0;");
  CHECK(k[0].opcode == "ld");
  CHECK(k[0].modifiers == Names{"global", "nc", "L1::no_allocate", "L2::128B", "v2", "b32"});
  CHECK(k[0].line == 6);
  CHECK(k[1].modifiers == Names{"cluster", "arrive", "aligned"});
  CHECK(k[1].operands.empty());
  CHECK(k[2].modifiers == Names{"shared::cluster", "f32"});
  CHECK(k[3].operands.at(1).kind == Kind::real64);
}

TEST_CASE("ptx parser: guards") {
  const auto k = kernel("@%p1 bra L; @!%p2\nadd.s32 %r1, %r2, %r3; L: ret;");
  REQUIRE(k[0].guard.has_value());
  CHECK_FALSE(k[0].guard->is_negated);
  CHECK(k->registers.at(k[0].guard->reg).name == "%p1");
  CHECK(k[0].text == "@%p1 bra L");
  REQUIRE(k[1].guard.has_value());
  CHECK(k[1].guard->is_negated);
  CHECK(k[1].text == "add.s32 %r1, %r2, %r3");
  CHECK(k[1].line == 7);
  CHECK_FALSE(k[2].guard.has_value());
  CHECK(k[2].text == "ret");
}

TEST_CASE("ptx parser: branches by index") {
  const auto k = kernel(
      "ts: .branchtargets A,\n B, A;\n@%p1 brx.idx %r1, ts;\nA: ret; { brx.idx.uni %r2, ts; B: } B: exit;");
  CHECK(k[0].opcode == "brx");
  CHECK(k[0].operands.size() == 1);
  REQUIRE(k[0].results.size() == 3);
  CHECK(k[0].results[0].kind == Kind::label);
  CHECK(k[0].results[0].index == 1);
  CHECK(k[0].results[1].index == 3);
  CHECK(k[0].results[2].index == 1);
}

TEST_CASE("ptx errors: line, quote and excerpt") {
  const auto error = error_of(kernel_text(".reg .b32 %r<9>;\n\tadd.s32 \t%r9,\n\t%r1, 2; ret;"));
  CHECK(error.message == "PTX line 6: unknown register %r9 in `add.s32 %r9, %r1, 2`");
  CHECK(error.excerpt == "    6 |  add.s32  %r9,");
  CHECK(error.code == lathe::ErrorCode::load_failed);
  CHECK(error.stage == lathe::Stage::load);
}

TEST_CASE("ptx errors: calls") {
  const auto with_function = [](std::string_view call) {
    return complaint_of_module(
        ".func (.param .b32 r) f(.param .b32 a) { ret; }\n.func g() { .reg .b64 %rd<2>; .param .b32 x; " +
        std::string(call) + " }");
  };
  CHECK(with_function("call f;") == "`f` has 1 parameters and 1 results, the call 0 and 0");
  CHECK(with_function("call (x), f, (x, x);") == "`f` has 1 parameters and 1 results, the call 2 and 1");
  CHECK(with_function("call (x), %rd1, (x), proto;") == "calls through pointers are not supported");
  CHECK(with_function("call (x), f, (x), proto;") == "calls with a prototype are not supported");
  CHECK(with_function("call (x), x, (x);") == "a call needs a function");
  CHECK(with_function("call (x), later, (x);") == "unknown name later");
}
