#include "runtime/ptx/atomic_arithmetic.h"

#include <bit>
#include <limits>

#include "tests/support/catch.h"

using namespace lathe::runtime::ptx;
using enum AtomicOperation;

namespace {

std::uint64_t bits(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

}  // namespace

TEST_CASE("integers wrap within their width, and compare as signed or not") {
  CHECK(combine(add, Type::u32, 0xFFFFFFFF, 2, 0) == 1);
  CHECK(combine(add, Type::u64, ~0ULL, 2, 0) == 1);
  CHECK(combine(max, Type::u32, 0x80000000, 1, 0) == 0x80000000);
  CHECK(combine(max, Type::s32, 0x80000000, 1, 0) == 1);
  CHECK(combine(min, Type::s64, 1, ~0ULL, 0) == ~0ULL);
  CHECK(combine(min, Type::u64, 1, ~0ULL, 0) == 1);
  CHECK(combine(compare_and_swap, Type::b32, 5, 5, 6) == 6);
  CHECK(combine(compare_and_swap, Type::b32, 5, 4, 6) == 5);
  CHECK(combine(exchange, Type::b64, 5, 4, 0) == 4);
}

TEST_CASE("counters wrap at their limit") {
  CHECK(combine(increment, Type::u32, 3, 3, 0) == 0);
  CHECK(combine(increment, Type::u32, 2, 3, 0) == 3);
  CHECK(combine(increment, Type::u32, 7, 3, 0) == 0);
  CHECK(combine(decrement, Type::u32, 0, 3, 0) == 3);
  CHECK(combine(decrement, Type::u32, 7, 3, 0) == 3);
  CHECK(combine(decrement, Type::u32, 2, 3, 0) == 1);
}

TEST_CASE("floats: NaN gives way to numbers, -0 is less than 0") {
  const std::uint64_t nan = bits(std::numeric_limits<float>::quiet_NaN());
  CHECK(combine(max, Type::f32, nan, bits(2), 0) == bits(2));
  CHECK(combine(min, Type::f32, bits(2), nan, 0) == bits(2));
  CHECK(combine(min, Type::f32, bits(0.0F), bits(-0.0F), 0) == bits(-0.0F));
  CHECK(combine(max, Type::f32, bits(-0.0F), bits(0.0F), 0) == bits(0.0F));
  CHECK(combine(add, Type::f32, nan, bits(2), 0) == 0x7FFFFFFF);
  CHECK(flushed_f32(0x80000001) == 0x80000000);
  CHECK(flushed_f32(0x00800000) == 0x00800000);
}

TEST_CASE("packed halves do not carry into each other") {
  CHECK(combine(add, Type::f16x2, 0x7BFF'3C00, 0x7BFF'3C00, 0) == 0x7C00'4000);  // 65504 overflows
  CHECK(combine(max, Type::bf16x2, 0xBF80'3F80, 0x3F80'BF80, 0) == 0x3F80'3F80);
}

TEST_CASE("names, and which operation is for which type") {
  CHECK(atomic_operation_named("cas") == compare_and_swap);
  CHECK_FALSE(atomic_operation_named("nand").has_value());
  CHECK(is_atomic(add, Type::f64));
  CHECK_FALSE(is_atomic(add, Type::s64));
  CHECK_FALSE(is_atomic(bit_and, Type::u32));
  CHECK(is_atomic(compare_and_swap, Type::b16));
}
