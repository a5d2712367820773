#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/runtime/ptx/ptx_text.h"

using lathe::runtime::ptx::Space;
using lathe::runtime::ptx::Type;
using lathe::testing::complaint;
using lathe::testing::complaint_of_kernel;
using lathe::testing::complaint_of_module;
using lathe::testing::kernel;
using lathe::testing::module_text;
using Kind = lathe::runtime::ptx::Operand::Kind;

TEST_CASE("ptx parser: registers are those that are used") {
  const auto k = kernel(".reg .u32 remote, other<3>;\nmov.u32 remote, other2; mov.u32 %r31, %r31;");
  REQUIRE(k->registers.size() == 3);
}

TEST_CASE("ptx parser: names of inner scopes hide those of outer ones") {
  const auto k = kernel(
      "mov.b32 %r1, 0;\n{ .reg .b64 %r<4>; .reg .b16 x; mov.b64 %r1, 0; mov.b16 x, 0; mov.b32 %r9, 0; }\n"
      "{ .reg .f32 x; .shared .b32 p; mov.f32 x, 0f00000000; mov.b64 %rd1, p; }\nmov.b64 %rd1, p;");
  const auto type = [&](std::size_t i) { return k->registers.at(k[i].operands.at(0).index).type; };
  CHECK(type(0) == Type::b32);
  CHECK(type(1) == Type::b64);
  CHECK(type(2) == Type::b16);
  CHECK(type(3) == Type::b32);
  CHECK(type(4) == Type::f32);
  CHECK(k[5].operands.at(1).index == 2);
  CHECK(k[6].operands.at(1).index == 0);
  CHECK(k->variables.at(2).space == Space::shared);
}

TEST_CASE("ptx parser: labels belong to their scopes") {
  const auto k = kernel(
      "bra DONE;\nWAIT: { WAIT: @%p1 bra DONE;\n@!%p2 bra.uni WAIT; DONE: }\n"
      "{ bra WAIT; { bra DONE; } DONE: ret; }\nDONE:");
  const auto target = [&](std::size_t i) { return k[i].operands.at(0).index; };
  REQUIRE(k->code.size() == 6);
  CHECK(k[0].operands[0].kind == Kind::label);
  CHECK(k[0].operands[0].name == "DONE");
  CHECK(target(0) == 6);
  CHECK(target(1) == 3);
  CHECK(target(2) == 1);
  CHECK(target(3) == 1);
  CHECK(target(4) == 5);
}

TEST_CASE("ptx parser: places in the source") {
  const auto k = kernel(
      "mov.b32 %r1, 0;\n.loc 1 17 3\nmov.b32 %r1, 0;\n"
      ".loc 2 9 1, function_name $L__info_string0, inlined_at 1 17 3\n.pragma \"nounroll\";;\nmov.b32 %r1, "
      "0;\n"
      ".loc 1 18 0, function_name $L__info_string0+8, inlined_at 1 17 3 mov.b32 %r1, 0;");
  CHECK(k[0].source.file == 0);
  CHECK(k[1].source.file == 1);
  CHECK(k[1].source.line == 17);
  CHECK(k[2].source.file == 2);
  CHECK(k[2].source.line == 9);
  CHECK(k[2].inlined_at.file == 1);
  CHECK(k[2].inlined_at.line == 17);
  CHECK(k[3].source.line == 18);
  CHECK(k[1].inlined_at.file == 0);
}

TEST_CASE("ptx variables: those of a function") {
  const auto k = kernel(
      ".local .align 16 .b8 __local_depot0[128];\n.extern .shared .b32 dynamic[];\n"
      "{ .shared .align 8 .b64 bar; .param .b32 param0; .global .u32 calls = 7; mov.u64 %rd1, calls; }\n"
      "{ .param .b32 param0; st.param.b32 [param0+0], %r1; }");
  REQUIRE(k->variables.size() == 7);  // p and n first
  CHECK(k->variables[2].space == Space::local);
  CHECK(k->variables[2].align == 16);
  CHECK(k->variables[3].bytes == 0);
  CHECK(k->variables[4].name == "bar");
  CHECK(k->variables[5].space == Space::param);
  CHECK(k[1].operands.at(0).elements.at(0).index == 6);
  REQUIRE(k.module.variables.size() == 1);
  CHECK(k.module.variables[0].initializer.at(0) == std::byte{7});
  CHECK_FALSE(k[0].operands.at(1).is_local);
}
TEST_CASE("ptx errors: declarations in a function") {
  CHECK(complaint_of_kernel(".reg .b32 a; .reg .b64 a;") == "`a` is declared twice in one scope");
  CHECK(complaint_of_kernel(".reg .b32 %r1;") == "`%r1` is declared twice in one scope");
  CHECK(complaint_of_kernel(".reg .b32 %x1; .reg .b32 %x<2>;") == "`%x` is declared twice in one scope");
  CHECK(complaint_of_kernel(".reg .b32 %x<20>; .reg .b32 %x1<5>;") == "`%x1` is declared twice in one scope");
  CHECK(complaint_of_kernel(".reg .b32 %x1<5>; .reg .b32 %x<11>;") == "`%x` is declared twice in one scope");
  CHECK(complaint_of_kernel(".shared .b32 n;") == "`n` is declared twice in one scope");
  CHECK(complaint_of_kernel(".reg .v2 .b32 a;") == "vector registers are not supported");
  CHECK(complaint_of_kernel(".reg .b31 a;") == "expected a type of a register, found `.b31`");
  CHECK(complaint_of_kernel(".reg .b32 a<99999999999>;") == "number out of range: 99999999999");
  CHECK(complaint_of_kernel("L: L: ret;") == "label L stands twice in one scope");
  CHECK(complaint_of_kernel("L: .branchtargets A; L: .branchtargets A;") ==
        "`L` is declared twice in one scope");
  CHECK(complaint_of_kernel("P: .callprototype _ (.param .b32 _);") ==
        "calls through pointers are not supported");
  CHECK(complaint_of_kernel(".loc 1 2 x") == "expected a number of .loc, found `x`");
  CHECK(complaint_of_kernel(".loc 1 2 3, elsewhere") == "unknown attribute elsewhere of .loc");
  CHECK(complaint_of_kernel(".loc 1 4000000000 3") == "number out of range: 4000000000");
}

TEST_CASE("ptx errors: scopes without an end, or too many of them") {
  CHECK(complaint(module_text(".entry k() { ret;")) == "the text ends early: expected an instruction");
  CHECK(complaint(module_text(".entry k() { { ret; }")) == "the text ends early: expected an instruction");
  CHECK(complaint(module_text(".entry k() { ret; } }")).ends_with("found `}`"));
  CHECK(complaint_of_kernel(std::string(100000, '{')) == "scopes nested more than 64 deep");
  CHECK(
      complaint_of_module(".global .b8 a[1] = " + std::string(100000, '{')).starts_with("expected a number"));
  CHECK(complaint_of_kernel("mov.b32 " + std::string(100000, '[')).starts_with("expected an operand"));
}
