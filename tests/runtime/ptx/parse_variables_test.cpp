#include "runtime/ptx/parse_variables.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/runtime/ptx/ptx_text.h"

using lathe::runtime::ptx::Module;
using lathe::runtime::ptx::Space;
using lathe::runtime::ptx::Type;
using lathe::runtime::ptx::Variable;
using lathe::testing::complaint_of_module;
using lathe::testing::module_text;
using lathe::testing::parsed;

TEST_CASE("ptx variables: spaces, sizes and alignments") {
  const Module module = parsed(module_text(
      ".global .align 16 .b8 a[24];\n.visible .const .f32 b;\n.extern .shared .align 128 .b8 c[];\n"
      ".shared .u64 d[2][3], e;\n.global .v4 .f32 f[2];\n.weak .global .s16 g;\n.extern .global .b8 h[];"));
  REQUIRE(module.variables.size() == 8);
  const auto is = [&](std::size_t i, std::string_view name, Space space, std::size_t align,
                      std::size_t bytes) {
    const Variable& variable = module.variables[i];
    INFO(name);
    CHECK(variable.name == name);
    CHECK(variable.space == space);
    CHECK(variable.align == align);
    CHECK(variable.bytes == bytes);
    CHECK(variable.initializer.empty());
  };
  is(0, "a", Space::global, 16, 24);
  is(1, "b", Space::constant, 4, 4);
  is(2, "c", Space::shared, 128, 0);
  is(3, "d", Space::shared, 8, 48);
  is(4, "e", Space::shared, 8, 8);
  is(5, "f", Space::global, 16, 32);
  is(6, "g", Space::global, 2, 2);
  is(7, "h", Space::global, 1, 0);
  CHECK(module.variables[3].type == Type::u64);
  CHECK(module.variables[3].line == 7);
}

TEST_CASE("ptx variables: an extern one may be defined later") {
  const Module module = parsed(module_text(
      ".extern .global .u32 a;\n.func f() { .reg .u32 r; ld.global.u32 r, [a]; }\n.global .u32 a = 5;\n"
      ".extern .global .u32 a;"));
  REQUIRE(module.variables.size() == 1);
  CHECK(module.variables[0].initializer.at(0) == std::byte{5});
}

TEST_CASE("ptx errors: of variables") {
  CHECK(complaint_of_module(".global .b32 a; .global .b32 a;") == "`a` is declared twice");
  CHECK(complaint_of_module(".extern .global .b64 a; .global .b32 a;") == "`a` is declared twice");
  CHECK(complaint_of_module(".global .b32;") == "expected the name of a variable, found `;`");
  CHECK(complaint_of_module(".global a;") == "expected a type of a variable, found `a`");
  CHECK(complaint_of_module(".global .pred a;") == "expected a type of a variable, found `.pred`");
  CHECK(complaint_of_module(".global .texref a;") == "expected a type of a variable, found `.texref`");
  CHECK(complaint_of_module(".global .attribute(.managed) .b32 a;")
            .starts_with("expected a type of a variable"));
  CHECK(complaint_of_module(".global .align 3 .b32 a;") == "an alignment of 3 bytes");
  CHECK(complaint_of_module(".global .b8 a[];") == "`a` is not extern and has no size");
  CHECK(complaint_of_module(".global .b8 a[0];") == "number out of range: an array of 0 elements");
  CHECK(complaint_of_module(".global .b8 a[2][];") == "expected a number of elements, found `]`");
  CHECK(complaint_of_module(".global .b64 a[65536][65536][65536];") ==
        "number out of range: `a` has too many bytes");
  CHECK(complaint_of_module(".global .b8 a[1][1][1][1][1][1][1][1][1];") ==
        "an array of too many dimensions");
}
