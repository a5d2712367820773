#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/runtime/ptx/ptx_text.h"

using lathe::runtime::ptx::Module;
using lathe::runtime::ptx::Variable;
using lathe::testing::complaint_of_module;
using lathe::testing::module_text;
using lathe::testing::parsed;

namespace {

template <class T>
std::vector<T> values(const Variable& variable) {
  std::vector<T> all(variable.initializer.size() / sizeof(T));
  std::memcpy(all.data(), variable.initializer.data(), all.size() * sizeof(T));
  return all;
}

}  // namespace

TEST_CASE("ptx variables: initialisers that are numbers") {
  const Module module = parsed(module_text(
      ".global .u32 a = 4096;\n.global .s8 b = -128;\n.const .b8 c[4] = {1, 255};\n.global .f32 d = "
      "0fBF800000;\n"
      ".global .f32 e = 0.5;\n.global .f64 f[2] = {0d3FF0000000000000, 0f3F800000};\n"
      ".global .b32 g = 0f3F800000;\n.global .u64 h = 18446744073709551615;\n.global .b8 i[2] = {};"));
  const auto& variables = module.variables;
  CHECK(values<std::uint32_t>(variables[0]) == std::vector<std::uint32_t>{4096});
  CHECK(values<std::int8_t>(variables[1]) == std::vector<std::int8_t>{-128});
  CHECK(values<std::uint8_t>(variables[2]) == std::vector<std::uint8_t>{1, 255, 0, 0});
  CHECK(values<float>(variables[3]) == std::vector<float>{-1.0F});
  CHECK(values<float>(variables[4]) == std::vector<float>{0.5F});
  CHECK(values<double>(variables[5]) == std::vector<double>{1.0, 1.0});
  CHECK(values<float>(variables[6]) == std::vector<float>{1.0F});
  CHECK(values<std::uint64_t>(variables[7]) == std::vector<std::uint64_t>{~std::uint64_t{0}});
  CHECK(values<std::uint8_t>(variables[8]) == std::vector<std::uint8_t>{0, 0});
}

TEST_CASE("ptx variables: initialisers in braces") {
  const Module module =
      parsed(module_text(".global .s32 a[][2] = {{-1, 0}, {0, -1}, {1}};\n.global .u8 b[2][2][2] = {{{1, 2}, "
                         "{3}}, {{}, {7, 8}}};\n"
                         ".global .v2 .u16 c[2] = {{1, 2}, {3, 4}};\n.global .b8 d[] = {9};"));
  const auto& variables = module.variables;
  CHECK(variables[0].bytes == 24);
  CHECK(values<std::int32_t>(variables[0]) == std::vector<std::int32_t>{-1, 0, 0, -1, 1, 0});
  CHECK(values<std::uint8_t>(variables[1]) == std::vector<std::uint8_t>{1, 2, 3, 0, 0, 0, 7, 8});
  CHECK(values<std::uint16_t>(variables[2]) == std::vector<std::uint16_t>{1, 2, 3, 4});
  CHECK(variables[3].bytes == 1);
}

TEST_CASE("ptx variables: initialisers that are addresses") {
  const Module module = parsed(module_text(
      ".global .b32 a[4];\n.const .b8 b[2] = {1, 2};\n.global .u64 c[4] = {generic(b), a, a+8, 17};\n"
      ".global .u64 d = generic(a)+-4;"));
  const Variable& c = module.variables[2];
  REQUIRE(c.addresses.size() == 3);
  CHECK(c.addresses[0].at == 0);
  CHECK(c.addresses[0].variable == 1);
  CHECK(c.addresses[1].at == 8);
  CHECK(c.addresses[1].variable == 0);
  CHECK(c.addresses[2].at == 16);
  CHECK(c.addresses[2].offset == 8);
  CHECK(values<std::uint64_t>(c) == std::vector<std::uint64_t>{0, 0, 0, 17});
  CHECK(module.variables[3].addresses.at(0).offset == -4);
}

TEST_CASE("ptx errors: of initialisers") {
  CHECK(complaint_of_module(".global .b8 a = 256;") == "number out of range: `256` is no value of .b8");
  CHECK(complaint_of_module(".global .b8 a = -129;") == "number out of range: `129` is no value of .b8");
  CHECK(complaint_of_module(".global .f32 a = 1;") == "number out of range: `1` is no value of .f32");
  CHECK(complaint_of_module(".global .b16 a = 1.5;") == "number out of range: `1.5` is no value of .b16");
  CHECK(complaint_of_module(".global .b128 a = 1;") == "initialisers of 128-bit variables are not supported");
  CHECK(complaint_of_module(".global .b8 a[2] = {1, 2, 3};") ==
        "more than 2 elements in the initialiser of `a`");
  CHECK(complaint_of_module(".global .b8 a[2] = 1;") == "expected `{` of an array's initialiser, found `1`");
  CHECK(complaint_of_module(".global .b8 a = {1};") ==
        "expected a number or the address of a variable, found `{`");
  CHECK(complaint_of_module(".global .b8 a[] = {};") == "`a` has no size");
  CHECK(complaint_of_module(".global .b8 a[] = {1").starts_with("the text ends early"));
  CHECK(complaint_of_module(".global .u64 a = b;") == "unknown name `b`");
  CHECK(complaint_of_module(".func f(); .global .u64 a = f;") ==
        "the address of function `f` is not supported");
  CHECK(complaint_of_module(".global .u8 a; .global .u32 b = a;") ==
        "the address of `a` needs an integer of 64 bits");
  CHECK(complaint_of_module(".shared .u32 a = 1;") == "`a` cannot have an initialiser");
  CHECK(complaint_of_module(".global .b8 a[1000000000] = {1};").starts_with("number out of range"));
}
