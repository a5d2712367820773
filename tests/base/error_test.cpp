#include <memory>
#include <string>

#include <lathe/error.h>

#include "runtime/base/try.h"
#include "tests/support/catch.h"

using lathe::Error;
using lathe::ErrorCode;
using lathe::Result;
using lathe::Stage;

namespace {

Error sample() {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = "hidden_size is 0",
          .hint = "1 to 262144"};
}

Result<int> half(int number) {
  if (number % 2 != 0) return sample();
  return number / 2;
}

Result<std::string> quarter_text(int number) {
  LATHE_TRY(const int once, half(number));
  LATHE_TRY(const int twice, half(once));
  return std::to_string(twice);
}

Result<void> must_be_even(int number) {
  LATHE_CHECK(half(number).transform([](int) { return true; }));
  return {};
}

}  // namespace

TEST_CASE("a result holds a value or an error") {
  CHECK(half(4).value() == 2);
  CHECK(half(3).error().message == "hidden_size is 0");
  CHECK(half(3).value_or(-1) == -1);
  CHECK(half(4).and_then(half).value() == 1);
  CHECK(half(2).transform([](int n) { return n + 0.5; }).value() == 1.5);
}

TEST_CASE("LATHE_TRY and LATHE_CHECK pass errors up") {
  CHECK(quarter_text(12).value() == "3");
  CHECK(quarter_text(6).error().code == ErrorCode::invalid_spec);
  CHECK(must_be_even(2).has_value());
  CHECK_FALSE(must_be_even(1).has_value());
}

TEST_CASE("value() throws what error() would have said") {
  try {
    (void)half(1).value();
    FAIL("nothing was thrown");
  } catch (const lathe::BadResult& bad) {
    CHECK(bad.error().stage == Stage::validate);
    CHECK(std::string(bad.what()) == "invalid spec: hidden_size is 0\n  hint: 1 to 262144");
  }
}

TEST_CASE("a result takes what converts to its value") {
  struct Base {
    virtual ~Base() = default;
    virtual int number() const { return 1; }
  };
  struct Derived : Base {
    int number() const override { return 2; }
  };
  const auto make = []() -> Result<std::unique_ptr<Base>> { return std::make_unique<Derived>(); };
  CHECK(make().value()->number() == 2);
}
