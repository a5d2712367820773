#include "runtime/ptx/scopes.h"

#include <string_view>
#include <vector>

#include "tests/support/catch.h"

using lathe::runtime::ptx::ModuleNames;
using lathe::runtime::ptx::Name;
using lathe::runtime::ptx::Register;
using lathe::runtime::ptx::Scopes;
using lathe::runtime::ptx::Type;

TEST_CASE("ptx scopes: registers of a range come to be when they are used") {
  const ModuleNames module;
  std::vector<Register> registers;
  Scopes scopes(module, registers);
  CHECK(scopes.declare_registers("%r", 2'000'000'000, Type::b32));
  CHECK(registers.empty());
  CHECK(scopes.find("%r1999999999")->index == 0);
  CHECK(scopes.find("%r7")->index == 1);
  CHECK(scopes.find("%r1999999999")->index == 0);
  CHECK(registers.size() == 2);
  for (const std::string_view name :
       {"%r", "%r2000000000", "%r01", "%r1x", "%r-1", "%r99999999999999999999"}) {
    INFO(name);
    CHECK_FALSE(scopes.find(name).has_value());
  }
}

TEST_CASE("ptx scopes: a name means one thing in a scope") {
  const ModuleNames module;
  std::vector<Register> registers;
  Scopes scopes(module, registers);
  CHECK(scopes.declare_registers("%r1", 5, Type::b32));  // %r10 to %r14
  CHECK_FALSE(scopes.declare_registers("%r", 11, Type::b32));
  CHECK(scopes.declare_registers("%r", 10, Type::b32));
  CHECK_FALSE(scopes.declare_registers("%r", 1, Type::b64));
  CHECK_FALSE(scopes.declare_register("%r14", Type::b32));
  CHECK(scopes.declare_register("%r15", Type::b32));
  CHECK_FALSE(scopes.declare("%r15", {.kind = Name::Kind::local_variable, .index = 0}));
  scopes.open();
  CHECK(scopes.declare_register("%r14", Type::pred));
  CHECK(registers.at(scopes.find("%r14")->index).type == Type::pred);
  scopes.close();
  CHECK(registers.at(scopes.find("%r14")->index).type == Type::b32);
}

TEST_CASE("ptx scopes: names of the module come last") {
  const ModuleNames module{{"x", {.kind = Name::Kind::function, .index = 3}}};
  std::vector<Register> registers;
  Scopes scopes(module, registers);
  scopes.open();
  CHECK(scopes.find("x")->kind == Name::Kind::function);
  CHECK(scopes.declare("x", {.kind = Name::Kind::local_variable, .index = 5}));
  CHECK(scopes.find("x")->index == 5);
  scopes.close();
  CHECK(scopes.find("x")->index == 3);
}

TEST_CASE("ptx scopes: labels are seen from their scope and those within") {
  const ModuleNames module;
  std::vector<Register> registers;
  Scopes scopes(module, registers);
  CHECK(scopes.declare_label("L", 1));
  scopes.open();
  const std::size_t inner = scopes.current();
  CHECK(scopes.declare_label("L", 2));
  CHECK_FALSE(scopes.declare_label("L", 3));
  CHECK(scopes.declare_label("M", 4));
  CHECK(scopes.declare_branch_targets("ts", {"L", "M"}));
  CHECK(scopes.find_branch_targets("ts")->size() == 2);
  scopes.close();
  CHECK(scopes.find_branch_targets("ts") == nullptr);
  scopes.open();
  const std::size_t sibling = scopes.current();
  scopes.close();
  CHECK(scopes.find_label("L", 0) == 1);
  CHECK(scopes.find_label("L", inner) == 2);
  CHECK(scopes.find_label("L", sibling) == 1);
  CHECK_FALSE(scopes.find_label("M", sibling).has_value());
  CHECK(scopes.depth() == 0);
}
