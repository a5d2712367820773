#include "codegen/kernel_binary.h"

#include "tests/support/catch.h"

using namespace lathe::codegen;

TEST_CASE("payloads are found by their kind") {
  const KernelBinary binary{.payloads = {{PayloadKind::cubin, {std::byte{1}}}, {PayloadKind::ptx, {}}}};
  REQUIRE(binary.find(PayloadKind::cubin) != nullptr);
  CHECK(binary.find(PayloadKind::cubin)->bytes == Bytes{std::byte{1}});
  CHECK(binary.find(PayloadKind::ptx) == &binary.payloads[1]);
  CHECK(binary.find(PayloadKind::object) == nullptr);
}

TEST_CASE("payload kinds have the names that entries use") {
  CHECK(name_of(PayloadKind::cubin) == "cubin");
  CHECK(name_of(PayloadKind::ptx) == "ptx");
  CHECK(name_of(PayloadKind::object) == "object");
}
