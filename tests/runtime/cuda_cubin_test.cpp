#include "runtime/cuda/cubin.h"

#include <cstring>

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::codegen::Bytes;
using lathe::runtime::cuda::check_cubin;
using lathe::testing::tiny_cubin;

namespace {

void put(Bytes& bytes, std::size_t offset, std::uint64_t value, std::size_t size) {
  std::memcpy(bytes.data() + offset, &value, size);
}

/// A header with one segment and one section behind it: 64 + 56 + 64 bytes.
Bytes cubin_with_tables() {
  Bytes bytes = tiny_cubin();
  bytes.resize(64 + 56 + 64);
  put(bytes, 32, 64, 8);       // segments start
  put(bytes, 40, 64 + 56, 8);  // sections start
  put(bytes, 54, 56, 2);
  put(bytes, 56, 1, 2);
  put(bytes, 58, 64, 2);
  put(bytes, 60, 1, 2);
  return bytes;
}

}  // namespace

TEST_CASE("a whole cubin passes") {
  CHECK(check_cubin(tiny_cubin()).has_value());
  CHECK(check_cubin(cubin_with_tables()).has_value());
}

TEST_CASE("a cubin cut off anywhere is refused") {
  const Bytes whole = cubin_with_tables();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto checked = check_cubin(std::span(whole).first(size));
    INFO("size " << size);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().code == ErrorCode::load_failed);
    CHECK_FALSE(checked.error().hint.empty());
  }
}

TEST_CASE("tables that would wrap around the address space are refused") {
  Bytes bytes = cubin_with_tables();
  put(bytes, 40, ~std::uint64_t{0} - 8, 8);
  CHECK_FALSE(check_cubin(bytes).has_value());
}

TEST_CASE("other files are refused") {
  Bytes text(200, std::byte{'a'});
  CHECK_FALSE(check_cubin(text).has_value());
  Bytes other_machine = tiny_cubin();
  other_machine[18] = std::byte{62};  // x86-64
  const auto checked = check_cubin(other_machine);
  REQUIRE_FALSE(checked.has_value());
  CHECK(checked.error().message.find("machine 62") != std::string::npos);
}
