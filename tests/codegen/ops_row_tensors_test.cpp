#include "codegen/ops/row_tensors.h"

#include <cstdint>
#include <string>

#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;

namespace {

void* address(std::uintptr_t value) {
  return reinterpret_cast<void*>(value);
}

/// A tensor on whose strides a test works.
struct Tensor {
  Index row = 0;
  Index head = 0;

  RowTensor as(const char* name, DType dtype, bool is_output = false, std::uintptr_t at = 0x1000) {
    return {name, dtype, address(at), &row, &head, is_output};
  }
};

constexpr RowShape kShape{.op = "op", .rows = 3, .heads = 2, .hidden = 8, .dtype = bf16, .alignment = 8};

std::string message_of(const Result<void>& result) {
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::invalid_argument);
  CHECK(result.error().stage == Stage::launch);
  return result.error().message;
}

}  // namespace

TEST_CASE("alignment counts elements: as many of another dtype, 16 bytes at most") {
  CHECK(kShape.alignment_of(bf16) == 8);
  CHECK(kShape.alignment_of(e4m3) == 4);
  CHECK(kShape.alignment_of(f32) == 16);
  RowShape wide = kShape;
  wide.alignment = 16;
  CHECK(wide.alignment_of(f32) == 16);
  wide.alignment = 2;
  CHECK(wide.alignment_of(e5m2) == 1);
}

TEST_CASE("strides of 0 are filled in from the inside outwards") {
  Tensor tensor;
  REQUIRE(resolve_row_tensor(kShape, tensor.as("t", bf16)));
  CHECK(tensor.head == 8);
  CHECK(tensor.row == 16);
  tensor = {.row = 0, .head = 12};
  REQUIRE(resolve_row_tensor(kShape, tensor.as("t", bf16)));
  CHECK(tensor.row == 24);
}

TEST_CASE("what is wrong with a stride is said in elements, and what would do in the spec's bytes") {
  Tensor tensor{.row = 18, .head = 8};
  auto result = resolve_row_tensor(kShape, tensor.as("t", e4m3));
  CHECK(message_of(result) == "op: t_row_stride is 18 elements of 1 bytes, not a multiple of 4 bytes");
  CHECK(result.error().hint == "pad the rows, or compile the kernel with alignment=4");
  tensor = {.row = 16, .head = -8};
  CHECK(message_of(resolve_row_tensor(kShape, tensor.as("t", bf16))) ==
        "op: t_head_stride is -8, negative strides are not supported");
  tensor = {.row = 12, .head = 8};
  CHECK(resolve_row_tensor(kShape, tensor.as("t", bf16)).has_value());
  CHECK(message_of(resolve_row_tensor(kShape, tensor.as("t", bf16, true))) ==
        "op: t: strides of 12 and 8 elements make rows of 8 overlap");
}

TEST_CASE("pointers are there and aligned") {
  Tensor tensor;
  CHECK(message_of(resolve_row_tensor(kShape, tensor.as("t", bf16, false, 0))) == "op: t is null");
  CHECK(message_of(resolve_row_tensor(kShape, tensor.as("t", bf16, false, 0x1004))) ==
        "op: t is 0x1004, not a multiple of 8 bytes");
}

TEST_CASE("in place is for tensors that are alike") {
  Tensor from{.row = 16, .head = 8};
  Tensor to{.row = 16, .head = 8};
  CHECK(check_in_place("op", from.as("a", bf16), to.as("b", bf16)).has_value());
  CHECK(message_of(check_in_place("op", from.as("a", bf16), to.as("b", e4m3))) ==
        "op: b is a, but has elements of e4m3 against bf16");
  to.row = 32;
  CHECK(message_of(check_in_place("op", from.as("a", bf16), to.as("b", bf16))) ==
        "op: b is a, but their strides are 32 and 8 against 16 and 8 elements");
  CHECK(check_in_place("op", from.as("a", bf16), to.as("b", e4m3, true, 0x2000)).has_value());
}

TEST_CASE("a workspace is as large as what a launch needs") {
  CHECK(check_workspace("op", nullptr, 0, 0).has_value());
  CHECK(check_workspace("op", address(0x1000), 64, 64).has_value());
  CHECK(message_of(check_workspace("op", address(0x1000), 63, 64)) ==
        "op: workspace_bytes is 63, this launch needs 64");
  CHECK(message_of(check_workspace("op", address(0x1000), -1, 64)) ==
        "op: workspace_bytes is -1, this launch needs 64");
  CHECK(message_of(check_workspace("op", nullptr, 64, 64)) == "op: workspace is null");
  CHECK(message_of(check_workspace("op", address(0x1008), 64, 64)) ==
        "op: workspace is 0x1008, not a multiple of 16 bytes");
}
