#include "runtime/ptx/shadow.h"

#include <utility>

#include "tests/support/catch.h"

using lathe::runtime::ptx::Shadow;

TEST_CASE("bytes are defined one by one") {
  Shadow shadow(64);
  CHECK(shadow.is_tracked());
  CHECK_FALSE(shadow.is_defined(0, 1));
  shadow.define(8, 8);
  CHECK(shadow.is_defined(8, 8));
  CHECK_FALSE(shadow.is_defined(7, 2));
  shadow.undefine(10, 1);
  CHECK_FALSE(shadow.is_defined(8, 8));
  shadow.define(10, 1);
  shadow.copy(8, 32, 8);
  CHECK(shadow.is_defined(32, 8));
  const Shadow moved = std::move(shadow);
  CHECK(moved.is_defined(32, 8));
}

TEST_CASE("where nothing is tracked everything is defined") {
  Shadow none;
  CHECK_FALSE(none.is_tracked());
  none.define(0, 4);
  none.undefine(0, 4);
  none.copy(0, 4, 4);
  CHECK(none.is_defined(0, 100));
  CHECK(Shadow(0).is_defined(0, 1));
}
