#include "runtime/ptx/parse_operands.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/runtime/ptx/ptx_text.h"

using lathe::runtime::ptx::Operand;
using lathe::testing::complaint_of_kernel;
using lathe::testing::error_of;
using lathe::testing::kernel;
using lathe::testing::kernel_text;
using lathe::testing::module_text;
using lathe::testing::parsed;
using Kind = lathe::runtime::ptx::Operand::Kind;

namespace {

std::vector<Kind> kinds(const std::vector<Operand>& operands) {
  std::vector<Kind> all;
  for (const Operand& operand : operands) all.push_back(operand.kind);
  return all;
}

}  // namespace

TEST_CASE("ptx operands: registers, sinks, pairs and vectors") {
  const auto k = kernel(
      "shfl.sync.bfly.b32 %r1|%p1, %r2, 16, 31, -1;\nelect.sync _|%p1, 0xffffffff;\n"
      "selp.b32 %r1, %r2, %r3, !%p1;\nmov.b64 {%r1, _}, %rd1;\nst.global.v4.b32 [%rd1], {%r1, -1, "
      "0f3F800000, %r1};");
  const Operand& pair = k[0].operands.at(0);
  CHECK(pair.kind == Kind::pair);
  CHECK(kinds(pair.elements) == std::vector{Kind::reg, Kind::reg});
  CHECK(k->registers.at(pair.elements[1].index).name == "%p1");
  CHECK(kinds(k[1].operands.at(0).elements) == std::vector{Kind::sink, Kind::reg});
  CHECK(k[2].operands.at(3).is_negated);
  CHECK_FALSE(k[2].operands.at(2).is_negated);
  CHECK(k[3].operands.at(0).kind == Kind::vector);
  CHECK(kinds(k[3].operands[0].elements) == std::vector{Kind::reg, Kind::sink});
  CHECK(kinds(k[4].operands.at(1).elements) ==
        std::vector{Kind::reg, Kind::integer, Kind::real32, Kind::reg});
}

TEST_CASE("ptx operands: numbers") {
  const auto k = kernel(
      "and.b32 %r1, %r2, -65536;\nmov.u64 %rd1, 18446744073709551615;\nmov.u64 %rd1, -9223372036854775808;\n"
      "mov.f32 %f1, -0f3F800000;\nmov.f64 %fd1, 0d7FF0000000000000;\nmov.f64 %fd1, -0.5;\nmov.u32 %r1, "
      "WARP_SZ;");
  CHECK(k[0].operands.at(2).kind == Kind::integer);
  CHECK(k[0].operands[2].bits == 0xFFFFFFFFFFFF0000);
  CHECK(k[1].operands.at(1).bits == ~std::uint64_t{0});
  CHECK(k[2].operands.at(1).bits == std::uint64_t{1} << 63);
  CHECK(k[3].operands.at(1).kind == Kind::real32);
  CHECK(k[3].operands[1].bits == 0xBF800000);
  CHECK(k[4].operands.at(1).bits == 0x7FF0000000000000);
  CHECK(k[5].operands.at(1).kind == Kind::real64);
  CHECK(k[5].operands[1].bits == 0xBFE0000000000000);
  CHECK(k[6].operands.at(1).kind == Kind::integer);
  CHECK(k[6].operands[1].bits == 32);
}

TEST_CASE("ptx operands: special registers") {
  const auto k = kernel(
      "mov.u32 %r1, %tid.x; mov.u32 %r1, %cluster_ctarank; mov.u64 %rd1, %clock64;\n"
      "{ .reg .b32 %laneid; mov.u32 %r1, %laneid; }");
  CHECK(k[0].operands.at(1).kind == Kind::special);
  CHECK(k[0].operands[1].name == "%tid.x");
  CHECK(k[1].operands.at(1).name == "%cluster_ctarank");
  CHECK(k[2].operands.at(1).kind == Kind::special);
  CHECK(k[3].operands.at(1).kind == Kind::reg);
}

TEST_CASE("ptx operands: addresses") {
  const auto k = kernel(
      ".shared .b8 tile[64];\nld.b32 %r1, [%rd1];\nld.b32 %r1, [%rd1+8];\nld.b32 %r1, [%rd1+-8];\n"
      "ld.b32 %r1, [%rd1-8];\nld.b32 %r1, [tile+16];\nld.b32 %r1, [p+4+4];\nld.b32 %r1, [4096];\n"
      "ld.b32 %r1, [tile];\nld.b32 %r1, [-8+16];");
  const auto address = [&](std::size_t i) -> const Operand& { return k[i].operands.at(1); };
  for (std::size_t i = 0; i < k->code.size(); ++i) {
    CHECK(address(i).kind == Kind::address);
    REQUIRE(address(i).elements.size() == 1);
  }
  CHECK(address(0).elements[0].kind == Kind::reg);
  CHECK(address(0).bits == 0);
  CHECK(address(1).bits == 8);
  CHECK(static_cast<std::int64_t>(address(2).bits) == -8);
  CHECK(static_cast<std::int64_t>(address(3).bits) == -8);
  CHECK(address(4).elements[0].kind == Kind::variable);
  CHECK(address(4).elements[0].is_local);
  CHECK(address(4).elements[0].index == 2);
  CHECK(address(4).elements[0].bits == 0);
  CHECK(address(4).bits == 16);
  CHECK(address(5).elements[0].index == 0);
  CHECK(address(5).bits == 8);
  CHECK(address(6).elements[0].kind == Kind::integer);
  CHECK(address(6).elements[0].bits == 4096);
  CHECK(address(8).bits == 16);
}

TEST_CASE("ptx operands: addresses in tensor maps, and several addresses") {
  const auto k = kernel(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, 5}], "
      "[%r3], %rs1;\ntex.1d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [%rd1, %rd2, {%r1}];");
  CHECK(kinds(k[0].operands) == std::vector{Kind::address, Kind::address, Kind::address, Kind::reg});
  const Operand& map = k[0].operands[1];
  REQUIRE(map.elements.size() == 2);
  CHECK(map.elements[1].kind == Kind::vector);
  CHECK(kinds(map.elements[1].elements) == std::vector{Kind::reg, Kind::integer});
  CHECK(kinds(k[1].operands.at(1).elements) == std::vector{Kind::reg, Kind::reg, Kind::vector});
}

TEST_CASE("ptx operands: addresses of variables and functions as values") {
  const auto module = lathe::testing::parsed(lathe::testing::module_text(
      ".global .b32 table[4];\n.func f() { ret; }\n"
      ".entry k(.param .b32 n) { .reg .b64 %rd<4>; .local .b64 depot; mov.u64 %rd1, table; mov.u64 %rd1, "
      "table+8; mov.u64 %rd1, f; mov.u64 %rd1, depot; mov.b64 %rd1, n; }"));
  const auto& code = module.functions.at(1).code;
  CHECK(code.at(0).operands.at(1).kind == Kind::variable);
  CHECK_FALSE(code[0].operands[1].is_local);
  CHECK(code[0].operands[1].index == 0);
  CHECK(code.at(1).operands.at(1).bits == 8);
  CHECK(code.at(2).operands.at(1).kind == Kind::function);
  CHECK(code[2].operands[1].index == 0);
  CHECK(code.at(3).operands.at(1).is_local);
  CHECK(code[3].operands[1].index == 1);
  CHECK(code.at(4).operands.at(1).index == 0);
}

TEST_CASE("ptx operands: many operands") {
  const auto k = kernel(
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1,%f2,%f3,%f4}, %rd1, %rd2, %p1, 1, -1, 0, 1;\n"
      "lop3.b32 %r1, %r2, %r3, %r4, 0x80; setp.lt.and.f32 %p1|%p2, %f1, 0f00000000, !%p3;");
  CHECK(k[0].operands.size() == 8);
  CHECK(k[1].operands.at(4).bits == 0x80);
  CHECK(k[2].operands.at(0).kind == Kind::pair);
  CHECK(k[2].operands.at(3).is_negated);
}
TEST_CASE("ptx errors: names") {
  CHECK(complaint_of_kernel("mov.b32 %r1, %r4;") == "unknown register %r4");
  CHECK(complaint_of_kernel("mov.b32 %r1, %r01;") == "unknown register %r01");
  CHECK(complaint_of_kernel("mov.b32 %r1, %r99999999999999999999999;").starts_with("unknown register"));
  CHECK(complaint_of_kernel("mov.b32 %r1, other;") == "unknown name other");
  CHECK(complaint_of_kernel("{ .reg .b32 inner; } mov.b32 %r1, inner;") == "unknown name inner");
  CHECK(complaint_of_kernel("mov.b32 %r1, %unknown.x;") ==
        "elements of vector registers, `%unknown.x`, are not supported");
  CHECK(complaint_of_kernel("bra L;") == "no label L");
  CHECK(complaint_of_kernel("{ L: } bra L;") == "no label L");
  CHECK(complaint_of_kernel("brx.idx %r1, L;") == "no .branchtargets L");
  CHECK(complaint_of_kernel("ts: .branchtargets L; brx.idx %r1, ts;") == "no label L");
  CHECK(error_of(kernel_text("bra.uni\tL; ret;")).message == "PTX line 5: no label L in `bra.uni L`");
}

TEST_CASE("ptx errors: operands") {
  CHECK(complaint_of_kernel("mov.b32 %r1, ;") == "expected an operand, found `;`");
  CHECK(complaint_of_kernel("mov.b32 %r1 %r2;") == "expected `;`, found `%r2`");
  CHECK(complaint_of_kernel("mov.b32 %r1, -%r2;") == "expected an operand, found `%r2`");
  CHECK(complaint_of_kernel("mov.b64 %rd1, -9223372036854775809;") ==
        "number out of range: -9223372036854775809");
  CHECK(complaint_of_kernel("mov.b32 %r1, !1;") == "expected a name, found `1`");
  CHECK(complaint_of_kernel("mov.b32 %r1, !p;") == "`!` needs a register behind it");
  CHECK(complaint_of_kernel("mov.b32 1|%r1, %r2;") == "`|` needs a register before it");
  CHECK(complaint_of_kernel("mov.b32 %r1|2, %r2;") == "`|` needs a register behind it");
  CHECK(complaint_of_kernel("mov.b32 {%r1, {%r2}}, %rd1;") == "expected an operand, found `{`");
  CHECK(complaint_of_kernel("mov.b32 {}, %rd1;") == "expected an operand, found `}`");
  CHECK(complaint_of_kernel("ld.b32 %r1, [1.5];") == "an address needs a register, a variable or an integer");
  CHECK(complaint_of_kernel("ld.b32 %r1, [%rd1+%r2];") == "expected an offset, found `%r2`");
  CHECK(complaint_of_kernel("ld.b32 %r1, [%rd1-1.5];") == "an offset must be an integer");
  CHECK(complaint_of_kernel("ld.b32 %r1, [p[4]];") == "expected `]`, found `[`");
  CHECK(complaint_of_kernel("@%r1 ret;") == "a guard must be a predicate register");
  CHECK(complaint_of_kernel("@1 ret;") == "expected a name, found `1`");
  CHECK(complaint_of_kernel("@%p1 ;") == "expected an opcode, found `;`");
  CHECK(complaint_of_kernel("5;") == "expected an instruction, found `5`");
  CHECK(complaint_of_kernel(".entry;") == "expected an instruction or a declaration, found `.entry`");
}
