#include "runtime/cpu/object_linker.h"

#include "tests/support/catch.h"
#include "tests/support/cpu_binary.h"

using lathe::ErrorCode;
using lathe::runtime::ObjectLinker;
using lathe::tests::cpu_binary;

namespace {

auto link(const std::shared_ptr<ObjectLinker>& linker, const std::string& text) {
  return ObjectLinker::link(linker, cpu_binary(text).payloads.front().bytes);
}

}  // namespace

TEST_CASE("a linked function can be called for as long as its object lives, also without the linker") {
  auto linker = ObjectLinker::create().value();
  const auto object = link(linker, "extern \"C\" int kernel() { return 42; }").value();
  linker.reset();
  const auto address = object->address_of("kernel");
  REQUIRE(address.has_value());
  CHECK(reinterpret_cast<int (*)()>(*address)() == 42);
  CHECK(object->address_of("kernel").value() == *address);
}

TEST_CASE("a function that is not allowed cannot be linked, and is named") {
  const auto linker = ObjectLinker::create().value();
  for (const std::string name : {"system", "getenv", "no_such_function"}) {
    const auto object =
        link(linker, "extern \"C\" int " + name + "(const char*);\nextern \"C\" int kernel() { return " +
                         name + "(\"\"); }");
    REQUIRE_FALSE(object.has_value());
    CHECK(object.error().code == ErrorCode::load_failed);
    CHECK(object.error().message.find("uses " + name) != std::string::npos);
  }
}

TEST_CASE("a linker goes on after a failure") {
  const auto linker = ObjectLinker::create().value();
  CHECK_FALSE(link(linker, "void gone(); extern \"C\" void kernel() { gone(); }").has_value());
  const auto object = link(linker, "extern \"C\" void other() {}").value();
  const auto missing = object->address_of("kernel");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == ErrorCode::load_failed);
  CHECK(missing.error().message.find("kernel") != std::string::npos);
  CHECK(link(linker, "extern \"C\" int kernel() { return 1; }").value()->address_of("kernel").has_value());
}
