#include "runtime/ptx/parser.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/runtime/ptx/nvrtc_sample.h"
#include "tests/runtime/ptx/ptx_text.h"

using lathe::runtime::ptx::Function;
using lathe::runtime::ptx::Instruction;
using lathe::runtime::ptx::Module;
using lathe::testing::complaint;
using lathe::testing::complaint_of_module;
using lathe::testing::kernel_text;
using lathe::testing::kNvrtcSample;
using lathe::testing::module_text;
using lathe::testing::parsed;

namespace {

const Instruction& instruction_at(const Function& function, int line) {
  const auto found = std::ranges::find(function.code, line, &Instruction::line);
  REQUIRE(found != function.code.end());
  return *found;
}

}  // namespace

TEST_CASE("ptx parser: what a module says of itself") {
  const Module module = parsed(
      "// comment\n.version 8.5\n.target sm_80, debug\n.address_size 64\n.pragma \"a\", \"b\";\n"
      ".file 1 \"/a/k.cu\"\n.file 2 \"/b.h\", 1234, 99\n"
      ".section .debug_str { $L: .b8 95,90 { nested } .b32 .debug_loc+133 }\n");
  CHECK(module.version == 85);
  CHECK(module.target == "sm_80");
  REQUIRE(module.files.size() == 2);
  CHECK(module.files[0] == std::pair<int, std::string_view>(1, "/a/k.cu"));
  CHECK(module.files[1] == std::pair<int, std::string_view>(2, "/b.h"));
  CHECK(parsed(".version 12.1\n.target sm_100a").version == 121);
}

TEST_CASE("ptx parser: the NUL that NVRTC counts in is no part of the text") {
  std::string text = module_text("");
  text += '\0';
  CHECK(parsed(text).version == 90);
}

TEST_CASE("ptx parser: a module can be moved") {
  Module module = parsed(kernel_text("ret;"));
  const Module moved = std::move(module);
  CHECK(moved.functions.at(0).name == "k");
}

TEST_CASE("ptx parser: what NVRTC really writes") {
  const Module module = parsed(std::string(kNvrtcSample));
  REQUIRE(module.functions.size() == 2);
  const Function& sample = module.functions[1];
  CHECK(sample.name == "sample");
  CHECK(sample.max_threads == 64);
  CHECK(sample.parameters == 3);
  CHECK(module.variables.size() == 3);
  CHECK(module.files.size() == 1);
  CHECK(sample.variables.at(3).name == "_ZZ6sampleE7partial");
  std::vector<std::size_t> waits;
  for (std::size_t i = 0; i < sample.code.size(); ++i) {
    if (sample.code[i].text == "bra WAIT") waits.push_back(i - sample.code[i].operands.at(0).index);
  }
  CHECK(waits == std::vector<std::size_t>{2, 2});
  const auto call = std::ranges::find(sample.code, "call", &Instruction::opcode);
  REQUIRE(call != sample.code.end());
  CHECK(call->results.size() == 3);
  CHECK(call->source.line == 14);
  CHECK(instruction_at(sample, call->line).text.starts_with("call.uni (retval0)"));
}

TEST_CASE("ptx parser: a text cut off anywhere is a module or an error") {
  for (std::size_t size = 0; size < kNvrtcSample.size(); ++size) {
    const auto module = lathe::runtime::ptx::parse(std::string(kNvrtcSample.substr(0, size)));
    if (module) continue;
    REQUIRE(module.error().code == lathe::ErrorCode::load_failed);
    REQUIRE(module.error().message.starts_with("PTX line "));
    REQUIRE_FALSE(module.error().excerpt.empty());
  }
}

TEST_CASE("ptx parser: a text without one of its bytes, or with another one, is a module or an error") {
  std::string text{kNvrtcSample};
  std::size_t modules = 0;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    std::string shorter = text;
    shorter.erase(at, 1);
    modules += lathe::runtime::ptx::parse(std::move(shorter)).has_value() ? 1 : 0;
    const std::string_view others = "{}[]();,.%\"0<+-|@!\xff";
    std::string changed = text;
    changed[at] = others[at % others.size()];
    modules += lathe::runtime::ptx::parse(std::move(changed)).has_value() ? 1 : 0;
  }
  CHECK(modules > 0);
}
TEST_CASE("ptx errors: what a module must say") {
  CHECK(complaint("") == "the text ends early: expected `.version`");
  CHECK(complaint(".target sm_90") == "expected `.version`, found `.target`");
  CHECK(complaint(".version 9") == "expected a version such as 9.0, found `9`");
  CHECK(complaint(".version 9.0") == "the text ends early: expected `.target`");
  CHECK(complaint(".version 9.0 .target 5") == "expected a target such as sm_90a, found `5`");
  CHECK(complaint(".version 9.0 .target sm_90 .address_size 32") == "addresses of 32 bits are not supported");
}

TEST_CASE("ptx errors: of a module") {
  CHECK(complaint_of_module("ret;") ==
        "expected a function, a variable or another directive of a module, found `ret`");
  CHECK(complaint_of_module(".alias a, b;").starts_with("expected a function, a variable"));
  CHECK(complaint_of_module(".reg .b32 r;") == "registers outside of functions are not supported");
  CHECK(complaint_of_module(".param .b32 r;") == "`.param` variables belong into functions");
  CHECK(complaint_of_module(".section .debug { { }") == "`{` without its `}`: the text ends early");
  CHECK(complaint_of_module(".file 1 name") == "expected the name of a file, found `name`");
  CHECK(complaint_of_module(".file 4000000000 \"a\"") == "number out of range: 4000000000");
  CHECK(complaint_of_module(".pragma nounroll;") == "expected a string, found `nounroll`");
}

TEST_CASE("ptx errors: initialisers cannot ask for more memory than a machine has") {
  std::string text;
  for (int i = 0; i < 64; ++i) text += ".global .b8 a" + std::to_string(i) + "[16777216] = {1};\n";
  CHECK(complaint_of_module(text) == "number out of range: too many bytes in initialisers");
}
