// Arithmetic of extended precision: what the carry is, and that it is handed on.
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_combinations.h"

namespace lathe::tests {
namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

/// Text with every @ replaced by the type.
std::string of_type(std::string_view text, std::string_view type) {
  std::string result;
  for (const char c : text) {
    if (c == '@') {
      result += type;
    } else {
      result += c;
    }
  }
  return result;
}

/// T is unsigned; its signed type must give the same.
template <class T>
struct Carry {
  static constexpr unsigned kBits = 8 * sizeof(T);

  template <class Expected>
  static void check(std::string_view text, Expected expected) {
    const std::vector<T> values = edge_values<T>();
    for (const char sign : {'u', 's'}) {
      check_combinations<T>(of_type(text, fmt::format("{}{}", sign, kBits)), expected, values, values,
                            values);
    }
  }
};

TEMPLATE_TEST_CASE("sums and differences with a carry", "", std::uint32_t, std::uint64_t) {
  using T = TestType;
  constexpr unsigned kBits = Carry<T>::kBits;
  const auto carry_of = [](T a, T b) { return (Uint128{a} + b) >> kBits; };
  Carry<T>::check("add.cc.@ d, a, b;", [](T a, T b, T) { return a + b; });
  Carry<T>::check("add.cc.@ d, a, b; addc.@ d, c, 0;", [&](T a, T b, T c) { return c + carry_of(a, b); });
  Carry<T>::check("add.cc.@ d, a, b; addc.cc.@ d, c, b; addc.@ d, 0, 0;",
                  [&](T a, T b, T c) { return (Uint128{c} + b + carry_of(a, b)) >> kBits; });
  // An instruction without .cc leaves the carry alone.
  Carry<T>::check("add.cc.@ d, a, b; addc.@ d, c, c; add.@ d, c, c; addc.@ d, 0, 0;",
                  [&](T a, T b, T) { return carry_of(a, b); });
  Carry<T>::check("sub.cc.@ d, a, b;", [](T a, T b, T) { return a - b; });
  Carry<T>::check("sub.cc.@ d, a, b; subc.@ d, c, 1;",
                  [](T a, T b, T c) { return c - T{1} - (a < b ? 1U : 0U); });
  Carry<T>::check("sub.cc.@ d, a, b; subc.cc.@ d, c, b; subc.@ d, 0, 0;",
                  [](T a, T b, T c) { return Int128{c} - b - (a < b ? 1 : 0) < 0 ? ~T{0} : T{0}; });
}

TEMPLATE_TEST_CASE("products with a carry", "", std::uint32_t, std::uint64_t) {
  using T = TestType;
  using Signed = std::make_signed_t<T>;
  constexpr unsigned kBits = Carry<T>::kBits;
  const auto high = [](T a, T b) { return static_cast<T>((Uint128{a} * b) >> kBits); };
  const auto signed_high = [](T a, T b) {
    return static_cast<T>((Int128{static_cast<Signed>(a)} * static_cast<Signed>(b)) >> kBits);
  };
  const auto carry_of = [](T a, T b) { return (Uint128{a} + b) >> kBits; };
  Carry<T>::check("mad.lo.cc.@ d, a, b, c;", [](T a, T b, T c) { return Uint128{a} * b + c; });
  Carry<T>::check("mad.lo.cc.@ d, a, b, c; madc.lo.@ d, a, b, 5;",
                  [&](T a, T b, T c) { return Uint128{a} * b + 5 + carry_of(static_cast<T>(a * b), c); });
  Carry<T>::check("mad.lo.cc.@ d, a, b, c; madc.lo.cc.@ d, a, b, c; addc.@ d, 0, 0;", [&](T a, T b, T c) {
    const T low = static_cast<T>(a * b);
    return (Uint128{low} + c + carry_of(low, c)) >> kBits;
  });
  const auto check_high = [&](std::string_view type, auto high_of) {
    const auto values = edge_values<T>();
    check_combinations<T>(
        of_type("mad.hi.cc.@ d, a, b, c; madc.hi.@ d, a, c, b;", type),
        [&](T a, T b, T c) { return high_of(a, c) + b + carry_of(high_of(a, b), c); }, values, values,
        values);
    check_combinations<T>(
        of_type("add.cc.@ d, a, b; madc.hi.cc.@ d, a, b, c; addc.@ d, 0, 0;", type),
        [&](T a, T b, T c) { return (Uint128{high_of(a, b)} + c + carry_of(a, b)) >> kBits; }, values, values,
        values);
  };
  check_high(fmt::format("u{}", kBits), high);
  check_high(fmt::format("s{}", kBits), signed_high);
}

TEST_CASE("each lane has a carry of its own") {
  const std::vector<std::uint32_t> values{0xffffffff, 0, 0xffffffff, 5};
  CHECK(evaluate<std::uint32_t>(
            "add.cc.u32 d, a, 1; setp.eq.u32 p, a, 0; @p add.cc.u32 d, 0xffffffff, 1; addc.u32 d, 0, 0;",
            values) == std::vector<std::uint32_t>{1, 1, 1, 0});
}

TEST_CASE("forms of extended precision that PTX does not have are refused") {
  const std::string_view forms[] = {
      "add.cc.u16 h0, h1, h2;",          "add.cc.f32 f0, f1, f2;",
      "addc.sat.s32 r0, r1, r2;",        "addc.u16 h0, h1, h2;",
      "sub.cc.u16x2 r0, r1, r2;",        "mad.cc.u32 r0, r1, r2, r3;",
      "mad.wide.cc.u32 l0, r1, r2, l3;", "madc.wide.u32 l0, r1, r2, l3;",
      "madc.u32 r0, r1, r2, r3;",        "mul.lo.cc.u32 r0, r1, r2;",
  };
  for (const std::string_view form : forms) check_refused(form);
}

}  // namespace
}  // namespace lathe::tests
