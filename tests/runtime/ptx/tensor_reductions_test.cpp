// cp.reduce.async.bulk.tensor.
#include <cstring>

#include "runtime/ptx/atomic_arithmetic.h"
#include "tests/runtime/ptx/sample_tensor.h"

using namespace lathe::tests;
using lathe::DType;
using lathe::runtime::ptx::AtomicOperation;
using lathe::runtime::ptx::Type;

namespace {

constexpr std::array<std::int64_t, 5> kCorner{-4, 3, 0, 0, 0};

SampleTensor small_tensor(DType dtype) {
  return {dtype, {24, 9}, {16, 4}, Swizzle::none};
}

std::string body_of(const SampleTensor& tensor, const std::string& operation) {
  return tensor_store_body(
      tensor,
      fmt::format(
          "cp.reduce.async.bulk.tensor.2d.global.shared::cta.{}.tile.bulk_group [%map, {}], [buffer];",
          operation, coordinates(tensor, kCorner)));
}

/// Bytes that make no NaN of any format, so that there is one result only.
void spoil_nans(std::vector<std::byte>& bytes) {
  for (std::byte& each : bytes) each &= std::byte{0xBF};
}

void check(DType dtype, const std::string& name, AtomicOperation operation, Type type) {
  INFO(name << " of " << lathe::name_of(dtype));
  SampleTensor tensor = small_tensor(dtype);
  spoil_nans(tensor.bytes);
  AsyncMachine machine({}, 0, tensor.box_bytes() / 4);
  std::vector<std::byte> source(tensor.box_bytes());
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<std::byte>(i * 37 + i / 7);
  spoil_nans(source);
  machine.source = reinterpret_cast<std::uint32_t*>(machine.upload(source));
  const auto map = tensor.upload_to(machine);
  REQUIRE(machine.run_with(async_kernel(body_of(tensor, name)), map) == "");
  std::vector<std::byte> expected = tensor.bytes;
  tensor.for_each_element(kCorner, [&](std::size_t from, std::int64_t to) {
    if (to < 0) return;
    std::uint64_t value = 0;
    std::uint64_t old = 0;
    std::byte* at = &expected[static_cast<std::size_t>(to)];
    std::memcpy(&value, &source[from], size_of(dtype));
    std::memcpy(&old, at, size_of(dtype));
    const std::uint64_t result = combine(operation, type, old, value, 0);
    std::memcpy(at, &result, size_of(dtype));
  });
  CHECK(tensor.download() == expected);
}

}  // namespace

TEST_CASE("tensor reductions take their type from the map") {
  check(lathe::f32, "add", AtomicOperation::add, Type::f32);
  check(lathe::f16, "add", AtomicOperation::add, Type::f16);
  check(lathe::bf16, "add", AtomicOperation::add, Type::bf16);
  check(lathe::i32, "add", AtomicOperation::add, Type::s32);
  check(lathe::i64, "add", AtomicOperation::add, Type::u64);
  check(lathe::i32, "min", AtomicOperation::min, Type::s32);
  check(lathe::i64, "max", AtomicOperation::max, Type::s64);
  check(lathe::bf16, "max", AtomicOperation::max, Type::bf16);
  check(lathe::f16, "min", AtomicOperation::min, Type::f16);
  check(lathe::i32, "and", AtomicOperation::bit_and, Type::b32);
  check(lathe::i64, "xor", AtomicOperation::bit_xor, Type::b64);
}

TEST_CASE("tensor reductions that there are not") {
  const auto error = [](DType dtype, const std::string& operation) {
    SampleTensor tensor = small_tensor(dtype);
    AsyncMachine machine({}, 0, 4096);
    const auto map = tensor.upload_to(machine);
    return machine.run_with(async_kernel(body_of(tensor, operation)), map);
  };
  CHECK(error(lathe::u8, "add").find("there is no such reduction of u8 tensors") != std::string::npos);
  CHECK(error(lathe::f32, "max").find("there is no such reduction of f32 tensors") != std::string::npos);
  CHECK(error(lathe::i32, "inc").find("there is no such reduction of i32 tensors") != std::string::npos);
  CHECK(error(lathe::f32, "xor").find("there is no such reduction of f32 tensors") != std::string::npos);
  CHECK(error(lathe::f32, "add").empty());
}
