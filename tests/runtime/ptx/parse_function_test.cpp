#include "runtime/ptx/parse_function.h"

#include <string_view>
#include <vector>

#include "tests/runtime/ptx/ptx_text.h"

using lathe::runtime::ptx::Function;
using lathe::runtime::ptx::Instruction;
using lathe::runtime::ptx::Module;
using lathe::runtime::ptx::Space;
using lathe::runtime::ptx::Type;
using lathe::testing::complaint_of_module;
using lathe::testing::module_text;
using lathe::testing::parsed;
using Kind = lathe::runtime::ptx::Operand::Kind;

TEST_CASE("ptx parser: an entry and its directives") {
  const Module module = parsed(
      module_text(".weak .entry k(.param .align 8 .b8 k_param_0[128], .param .u64 .ptr .global .align 16 p,\n"
                  " .param .u64 .ptr .align 1 q, .param .b64 r)\n"
                  ".maxntid 32, 4, 2\n.minnctapersm 2\n.maxnreg 64 .explicitcluster .reqnctapercluster 2, 2\n"
                  ".maxclusterrank 8 .noreturn .pragma \"nounroll\";\n{ ret; }\n"
                  ".entry bare .reqntid 96 {}"));
  REQUIRE(module.functions.size() == 2);
  const Function& k = module.functions[0];
  CHECK(k.is_entry);
  CHECK(k.is_defined);
  CHECK(k.line == 4);
  CHECK(k.parameters == 4);
  CHECK(k.max_threads == 256);
  CHECK(k.required_cluster == 4);
  REQUIRE(k.variables.size() == 4);
  CHECK(k.variables[0].bytes == 128);
  CHECK(k.variables[0].align == 8);
  CHECK(k.variables[0].space == Space::param);
  CHECK(k.variables[1].name == "p");
  CHECK(k.variables[1].align == 8);
  CHECK(k.variables[2].type == Type::u64);
  CHECK(module.functions[1].max_threads == 96);
  CHECK_FALSE(module.functions[1].required_cluster.has_value());
  CHECK(module.functions[1].code.empty());
}

TEST_CASE("ptx parser: functions declared first, defined later") {
  const Module module = parsed(module_text(
      ".func (.param .b32 out) f(.param .b32 a, .param .b32 b);\n"
      ".visible .func g() { .reg .b32 %r<9>; .param .b32 x; call (x), f, (x, 7); call.uni g; ret; }\n"
      ".func (.param .b32 result) f(.param .b32 c, .param .b32 d) { st.param.b32 [result], 1; ret; }\n"
      ".extern .func h(.param .b64 z) .noreturn;\n.func (.param .b32 out) f(.param .b32 a, .param .b32 b);"));
  REQUIRE(module.functions.size() == 3);
  const Function& f = module.functions[0];
  CHECK(f.is_defined);
  CHECK_FALSE(f.is_entry);
  CHECK(f.parameters == 2);
  CHECK(f.results == 1);
  REQUIRE(f.variables.size() == 3);
  CHECK(f.variables[0].name == "c");
  CHECK(f.variables[2].name == "result");
  CHECK(f.code.at(0).operands.at(0).elements.at(0).index == 2);
  CHECK_FALSE(module.functions[2].is_defined);

  const Instruction& call = module.functions[1].code.at(0);
  CHECK(call.operands.at(0).kind == Kind::function);
  CHECK(call.operands[0].index == 0);
  REQUIRE(call.results.size() == 3);
  CHECK(call.results[0].kind == Kind::variable);
  CHECK(call.results[0].is_local);
  CHECK(call.results[2].kind == Kind::integer);
  CHECK(module.functions[1].code.at(1).operands.at(0).index == 1);
  CHECK(module.functions[1].code[1].modifiers == std::vector<std::string_view>{"uni"});
}

TEST_CASE("ptx errors: of functions") {
  CHECK(complaint_of_module(".entry k(.param .b32 a, .param .b32 a) {}") == "`a` is declared twice");
  CHECK(complaint_of_module(".entry k() { .shared .b32 k; } .func k() {}") ==
        "`k` was declared otherwise in line 4");
  CHECK(complaint_of_module(".func k() {} .func k() {}") == "`k` is defined twice");
  CHECK(complaint_of_module(".global .b32 k; .func k() {}") == "`k` is declared twice");
  CHECK(complaint_of_module(".func k(.reg .b32 a) {}") == "parameters in registers are not supported");
  CHECK(complaint_of_module(".func k(.param .b8 a[]) {}") == "parameters without a size are not supported");
  CHECK(complaint_of_module(".func k(.b32 a) {}") == "expected `.param`, found `.b32`");
  CHECK(complaint_of_module(".extern .func k() {}") == "expected `;` of an extern function, found `{`");
  CHECK(complaint_of_module(".func k() .unknown {}") ==
        "expected a directive of a function, or its body, found `.unknown`");
  CHECK(complaint_of_module(".func k() ret;") == "expected `;` or `{` of a function, found `ret`");
  CHECK(complaint_of_module(".entry k() .maxntid 0 {}").starts_with("number out of range"));
  CHECK(complaint_of_module(".entry k() .maxntid 65536, 65536 {}").starts_with("number out of range"));
  CHECK(complaint_of_module(".entry k() .maxntid 1, 1, 1, 1 {}").starts_with("number out of range"));
}
