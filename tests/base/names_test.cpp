#include <lathe/dtype.h>

#include "tests/support/catch.h"

TEST_CASE("dtype names round-trip") {
  for (auto dtype :
       {lathe::f32, lathe::f16, lathe::bf16, lathe::e4m3, lathe::e5m2, lathe::i32, lathe::i64, lathe::u8}) {
    INFO(lathe::name_of(dtype));
    CHECK(lathe::parse_dtype(lathe::name_of(dtype)) == dtype);
    CHECK(lathe::size_of(dtype) > 0);
  }
  CHECK(lathe::parse_dtype("bfloat16") == lathe::bf16);
  CHECK_FALSE(lathe::parse_dtype("bf17").has_value());
  CHECK_FALSE(lathe::parse_dtype("").has_value());
}
