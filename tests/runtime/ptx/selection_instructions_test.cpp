// selp, slct and testp.
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_combinations.h"

namespace lathe::tests {
namespace {

template <class T>
void check_selections(const std::vector<std::string_view>& types) {
  const std::vector<T> left{T(1), T(2)};
  const std::vector<T> right{T(3), T(4)};
  for (const std::string_view type : types) {
    check_combinations<T>(
        fmt::format("selp.{} d, a, b, c;", type), [](T a, T b, Flag c) { return c == Flag::yes ? a : b; },
        left, right, edge_values<Flag>());
    check_combinations<T>(
        fmt::format("slct.{}.s32 d, a, b, c;", type), [](T a, T b, std::int32_t c) { return c >= 0 ? a : b; },
        left, right, edge_values<std::int32_t>());
    check_combinations<T>(
        fmt::format("slct.{}.f32 d, a, b, c;", type), [](T a, T b, float c) { return c >= 0 ? a : b; }, left,
        right, edge_values<float>());
    check_combinations<T>(
        fmt::format("slct.ftz.{}.f32 d, a, b, c;", type),
        [](T a, T b, float c) { return c > -std::numeric_limits<float>::min() ? a : b; }, left, right,
        edge_values<float>());
  }
}

TEST_CASE("a predicate or a sign selects one of two values") {
  check_selections<std::uint16_t>({"b16", "u16", "s16"});
  check_selections<std::uint32_t>({"b32", "u32", "s32"});
  check_selections<std::uint64_t>({"b64", "u64", "s64"});
  check_selections<float>({"f32", "b32"});
  check_selections<double>({"f64", "b64"});
}

TEST_CASE("values are selected bit by bit") {
  const std::vector<std::uint32_t> signaling{0x7f800001, 0xffa00000};
  const std::vector<Flag> flags{Flag::yes, Flag::no};
  CHECK(evaluate<std::uint32_t>("selp.f32 d, a, 0f7F800002, b;", signaling, flags) ==
        std::vector<std::uint32_t>{0x7f800001, 0x7f800002});
  CHECK(evaluate<std::uint32_t>("mov.b32 d, a; selp.b32 d, 5, d, !b;", signaling, flags) ==
        std::vector<std::uint32_t>{0x7f800001, 5});
}

template <class T>
void check_tests(std::string_view type) {
  struct Test {
    std::string_view name;
    std::function<bool(int)> holds;  ///< of what std::fpclassify says
  };
  const Test tests[] = {
      {"finite", [](int kind) { return kind != FP_INFINITE && kind != FP_NAN; }},
      {"infinite", [](int kind) { return kind == FP_INFINITE; }},
      {"number", [](int kind) { return kind != FP_NAN; }},
      {"notanumber", [](int kind) { return kind == FP_NAN; }},
      {"normal", [](int kind) { return kind == FP_NORMAL || kind == FP_ZERO; }},
      {"subnormal", [](int kind) { return kind == FP_SUBNORMAL; }},
  };
  for (const Test& test : tests) {
    check_combinations<Flag>(
        fmt::format("testp.{}.{} d, a;", test.name, type),
        [&](T a) { return test.holds(std::fpclassify(a)); }, edge_values<T>());
  }
}

TEST_CASE("floats are tested") {
  check_tests<float>("f32");
  check_tests<double>("f64");
}

TEST_CASE("forms of selections that PTX does not have are refused") {
  const std::string_view forms[] = {
      "selp.f16 h0, h1, h2, p;",      "selp.pred p, q, q, p;",
      "selp.b32 r0, r1, r2;",         "selp.b32 r0, r1, r2, r3;",
      "selp.b64 r0, r1, r2, p;",      "slct.f16.s32 h0, h1, h2, r1;",
      "slct.b32.u32 r0, r1, r2, r3;", "slct.ftz.f32.s32 f0, f1, f2, r1;",
      "slct.b32 r0, r1, r2, r3;",     "slct.f32.f64 f0, f1, f2, g3;",
      "testp.normal.f16 p, h0;",      "testp.f32 p, f0;",
      "testp.zero.f32 p, f0;",        "testp.finite.normal.f32 p, f0;",
  };
  for (const std::string_view form : forms) check_refused(form);
}

}  // namespace
}  // namespace lathe::tests
