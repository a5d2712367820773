#include "codegen/field_check.h"

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "codegen/ops/rms_norm_fields.h"
#include "tests/support/catch.h"

using namespace lathe::codegen;
using lathe::DType;
using lathe::RmsNormSpec;

namespace {

constexpr DType kDTypes[] = {lathe::f32, lathe::e4m3};

/// A struct with members of every kind that a list can hold, and one fewer in its list.
struct Small {
  std::int64_t count = 0;
  std::optional<DType> dtype{};
  double scale = 1;
  bool flag = false;
};

}  // namespace

template <>
struct lathe::codegen::SpecFields<Small> {
  static constexpr std::string_view op = "small";
  static constexpr std::tuple fields{
      Field<Small, std::int64_t>{"count", &Small::count, {1, 8}, "", ""},
      Field<Small, std::optional<DType>>{"dtype", &Small::dtype, {kDTypes}, "", ""},
      Field<Small, double>{"scale", &Small::scale, {-1, 2.5}, "", ""}};
};

// What makes a forgotten member a compile error.
static_assert(!kListsEveryMember<Small>);
static_assert(kListsEveryMember<RmsNormSpec>);
static_assert(detail::arity<Small>() == 4);

TEST_CASE("a field list names each member once, in the order of the struct") {
  // With as many entries as members, none can then be missing.
  const RmsNormSpec spec;
  const void* previous = nullptr;
  std::set<std::string_view> names;
  for_each_field<RmsNormSpec>([&](const auto& field) {
    INFO(field.name);
    const void* member = &(spec.*field.member);
    CHECK(std::less<>{}(previous, member));
    previous = member;
    CHECK(names.insert(field.name).second);
    CHECK(!field.doc.empty());
  });
}

TEST_CASE("every default is in range, except of fields that have none") {
  const RmsNormSpec spec;
  const auto error = check_fields(spec).error();
  CHECK(error.message == "rms_norm: hidden_size is 0, allowed are 1 to 262144");
  CHECK(check_fields(RmsNormSpec{.hidden_size = 1}));
}

TEST_CASE("the first field out of range is named, with value and range") {
  const auto message_of = [](const Small& small) {
    const auto checked = check_fields(small);
    if (checked) return std::string();
    CHECK(checked.error().code == lathe::ErrorCode::invalid_spec);
    CHECK(checked.error().stage == lathe::Stage::validate);
    return checked.error().message;
  };
  CHECK(message_of({.count = 8, .dtype = lathe::e4m3, .scale = 2.5}).empty());
  CHECK(message_of({.count = 1, .scale = -1}).empty());
  CHECK(message_of({.count = 9, .scale = 9}) == "small: count is 9, allowed are 1 to 8");
  CHECK(message_of({.count = -1}) == "small: count is -1, allowed are 1 to 8");
  CHECK(message_of({.count = 1, .dtype = lathe::u8}) == "small: dtype is u8, allowed are f32, e4m3");
  CHECK(message_of({.count = 1, .scale = 2.75}) == "small: scale is 2.75, allowed are -1 to 2.5");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(message_of({.count = 1, .scale = nan}) == "small: scale is nan, allowed are -1 to 2.5");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(message_of({.count = 1, .scale = -infinity}) == "small: scale is -inf, allowed are -1 to 2.5");
}

TEST_CASE("powers of two are told from other numbers") {
  const Allowed<std::int64_t> with_zero{0, 16, true};
  CHECK(text_of(with_zero) == "0, 1, 2, 4, 8, 16");
  for (const std::int64_t good : {0, 1, 2, 4, 8, 16}) CHECK(is_allowed(with_zero, good));
  for (const std::int64_t bad : {-1, 3, 6, 12, 17, 32}) CHECK(!is_allowed(with_zero, bad));
  const Allowed<std::int64_t> without_zero{4, 32, true};
  CHECK(text_of(without_zero) == "4, 8, 16, 32");
  for (const std::int64_t bad : {0, 2, 5, 64}) CHECK(!is_allowed(without_zero, bad));
}

TEST_CASE("a number that is no value of an enum is refused") {
  const auto checked =
      check_fields(RmsNormSpec{.hidden_size = 1, .residual = static_cast<lathe::Residual>(3)});
  REQUIRE(!checked);
  CHECK(checked.error().message ==
        "rms_norm: residual is number 3, allowed are none, round_then_norm, norm_then_round");
}
