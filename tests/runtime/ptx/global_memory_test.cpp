#include "runtime/ptx/global_memory.h"

#include <cstdint>

#include "tests/support/catch.h"

using lathe::runtime::ptx::GlobalMemory;

namespace {

std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

TEST_CASE("an address belongs to the allocation that holds it, or to none") {
  GlobalMemory memory;
  std::byte* one = memory.allocate(100);
  std::byte* empty = memory.allocate(0);
  REQUIRE(one != nullptr);
  REQUIRE(empty != nullptr);
  CHECK(address(one) % 256 == 0);
  REQUIRE(memory.find(address(one)) != nullptr);
  CHECK(memory.find(address(one) + 99)->begin == one);
  CHECK(memory.find(address(one) + 100) == nullptr);
  CHECK(memory.find(address(empty)) == nullptr);
  CHECK(memory.find(address(one))->covers(address(one) + 96, 4));
  CHECK_FALSE(memory.find(address(one))->covers(address(one) + 97, 4));
  memory.release(one);
  CHECK(memory.find(address(one)) == nullptr);
  memory.release(empty);
  memory.release(nullptr);
}

TEST_CASE("what the host writes is defined") {
  GlobalMemory memory;
  std::byte* one = memory.allocate(100);
  const auto& shadow = memory.find(address(one))->shadow;
  CHECK_FALSE(shadow.is_defined(0, 1));
  memory.define(one + 10, 20);
  CHECK(shadow.is_defined(10, 20));
  CHECK_FALSE(shadow.is_defined(9, 2));
  CHECK_FALSE(shadow.is_defined(29, 2));
  memory.define(&memory, 4);    // not the device's
  memory.define(one + 90, 20);  // reaches beyond it
  CHECK_FALSE(shadow.is_defined(90, 1));
}

TEST_CASE("an address that is nobody's is described by its neighbour") {
  GlobalMemory memory;
  CHECK(memory.nearest(5) == "nothing is allocated on the device");
  std::byte* one = memory.allocate(100);
  CHECK(memory.nearest(address(one) + 103)
            .starts_with("3 bytes behind the end of the allocation of 100 bytes"));
  CHECK(memory.nearest(address(one) - 4).starts_with("4 bytes before the allocation of 100 bytes"));
  std::byte variable[8];
  memory.add(variable, 8, "counter", true);
  CHECK(memory.nearest(address(variable) + 8) == "0 bytes behind the end of the variable counter");
  memory.remove(variable);
  CHECK(memory.find(address(variable)) == nullptr);
}

TEST_CASE("more than there is cannot be had") {
  GlobalMemory memory;
  CHECK(memory.allocate(SIZE_MAX) == nullptr);
  CHECK(memory.allocate(SIZE_MAX / 2) == nullptr);
}
