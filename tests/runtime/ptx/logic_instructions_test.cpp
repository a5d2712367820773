// Logic and shifts, against definitions that go bit by bit.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/bit_values.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_combinations.h"

namespace lathe::tests {
namespace {

TEMPLATE_TEST_CASE("bitwise logic", "", std::uint16_t, std::uint32_t, std::uint64_t) {
  using T = TestType;
  const auto values = edge_values<T>();
  const std::string type = type_name<T>('b');
  const auto check_logic = [&](std::string_view opcode, auto of_bits) {
    check_combinations<T>(
        fmt::format("{}.{} d, a, b;", opcode, type),
        [&](T a, T b) { return from_bits<T>([&](unsigned i) { return of_bits(bit(a, i), bit(b, i)); }); },
        values, values);
  };
  check_logic("and", [](bool a, bool b) { return a && b; });
  check_logic("or", [](bool a, bool b) { return a || b; });
  check_logic("xor", [](bool a, bool b) { return a != b; });
  check_combinations<T>(
      fmt::format("not.{} d, a;", type),
      [](T a) { return from_bits<T>([&](unsigned i) { return !bit(a, i); }); }, values);
  check_combinations<T>(fmt::format("cnot.{} d, a;", type), [](T a) { return a == 0 ? 1 : 0; }, values);
}

TEST_CASE("logic of predicates") {
  const auto flags = edge_values<Flag>();
  const auto is_set = [](Flag flag) { return flag == Flag::yes; };
  check_combinations<Flag>(
      "and.pred d, a, b;", [&](Flag a, Flag b) { return is_set(a) && is_set(b); }, flags, flags);
  check_combinations<Flag>(
      "or.pred d, a, b;", [&](Flag a, Flag b) { return is_set(a) || is_set(b); }, flags, flags);
  check_combinations<Flag>("xor.pred d, a, b;", [](Flag a, Flag b) { return a != b; }, flags, flags);
  check_combinations<Flag>("not.pred d, a;", [&](Flag a) { return !is_set(a); }, flags);
  check_combinations<Flag>(
      "and.pred d, !a, b;", [&](Flag a, Flag b) { return !is_set(a) && is_set(b); }, flags, flags);
  check_combinations<Flag>("not.pred d, !a;", is_set, flags);
  // Lanes that the guard turns off keep what they have.
  check_combinations<Flag>(
      "mov.pred d, b; @a not.pred d, d;", [](Flag a, Flag b) { return a != b; }, flags, flags);
}

TEST_CASE("lop3 looks up every table") {
  const std::vector<std::uint32_t> values{0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0, 0xffffffff, 0x12345678};
  for (unsigned table = 0; table < 256; ++table) {
    const auto expected = [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
      return from_bits<std::uint32_t>(
          [&](unsigned i) { return bit(table, 4U * bit(a, i) + 2U * bit(b, i) + 1U * bit(c, i)); });
    };
    check_combinations<std::uint32_t>(fmt::format("lop3.b32 d, a, b, c, {};", table), expected, values,
                                      values, values);
  }
}

TEST_CASE("lop3 with a predicate") {
  const std::vector<std::uint32_t> values{0, 1, 0xffffffff, 0xfffffffe};
  const auto flags = edge_values<Flag>();
  check_combinations<Flag>(
      "lop3.or.b32 r0|d, a, b, 0, 0xc0, c;",
      [](std::uint32_t a, std::uint32_t b, Flag c) { return (a & b) != 0 || c == Flag::yes; }, values, values,
      flags);
  check_combinations<Flag>(
      "lop3.and.b32 _|d, a, b, 0, 0xc0, !c;",
      [](std::uint32_t a, std::uint32_t b, Flag c) { return (a & b) != 0 && c == Flag::no; }, values, values,
      flags);
  check_combinations<std::uint32_t>(
      "lop3.b32.and d|p, a, b, 0, 0xfc, c;", [](std::uint32_t a, std::uint32_t b, Flag) { return a | b; },
      values, values, flags);
}

TEMPLATE_TEST_CASE("shifts", "", std::uint16_t, std::int16_t, std::uint32_t, std::int32_t, std::uint64_t,
                   std::int64_t) {
  using T = TestType;
  const auto values = edge_values<T>();
  const auto right = [](T a, std::uint32_t n) {
    return from_bits<T>([&](unsigned i) {
      const std::uint64_t from = std::uint64_t{i} + n;
      return from < kBits<T> ? bit(unsigned_value(a), static_cast<unsigned>(from)) : a < 0;
    });
  };
  check_combinations<T>(fmt::format("shr.{} d, a, b;", type_name<T>()), right, values, shift_amounts());
  if constexpr (std::is_unsigned_v<T>) {
    check_combinations<T>(fmt::format("shr.{} d, a, b;", type_name<T>('b')), right, values, shift_amounts());
    const auto left = [](T a, std::uint32_t n) {
      return from_bits<T>([&](unsigned i) { return i >= n && bit(a, i - n); });
    };
    check_combinations<T>(fmt::format("shl.{} d, a, b;", type_name<T>('b')), left, values, shift_amounts());
  }
}

TEST_CASE("funnel shifts") {
  const std::vector<std::uint32_t> values{0, 0xffffffff, 0x89abcdef, 0x80000001};
  for (const bool wraps : {false, true}) {
    const std::string_view mode = wraps ? "wrap" : "clamp";
    const auto amount = [&](std::uint32_t c) { return wraps ? c & 31 : std::min(c, 32U); };
    const auto source = [](std::uint32_t a, std::uint32_t b, unsigned i) {
      return i < 32 ? bit(a, i) : bit(b, i - 32);
    };
    const auto left = [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
      return from_bits<std::uint32_t>([&](unsigned i) { return source(a, b, 32 + i - amount(c)); });
    };
    const auto right = [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
      return from_bits<std::uint32_t>([&](unsigned i) { return source(a, b, i + amount(c)); });
    };
    check_combinations<std::uint32_t>(fmt::format("shf.l.{}.b32 d, a, b, c;", mode), left, values, values,
                                      shift_amounts());
    check_combinations<std::uint32_t>(fmt::format("shf.r.{}.b32 d, a, b, c;", mode), right, values, values,
                                      shift_amounts());
  }
}

TEST_CASE("forms of logic and shifts that PTX does not have are refused") {
  const std::string_view forms[] = {
      "and.u32 r0, r1, r2;",
      "xor.s32 r0, r1, r2;",
      "and.b128 l0, l1, l2;",
      "and.b32 r0, r1, h2;",
      "cnot.pred p, q;",
      "lop3.b32 r0, r1, r2, r3, r4;",
      "lop3.xor.b32 r0|p, r1, r2, r3, 1, q;",
      "lop3.or.b32 r0, r1, r2, r3, 1, q;",
      "lop3.b64 l0, l1, l2, l3, 1;",
      "lop3.or.b32 r0|_, r1, r2, r3, 1, q;",
      "shl.u32 r0, r1, r2;",
      "shl.b64 l0, l1, l2;",
      "shl.b16 h0, h1, h2;",
      "shr.b64 l0, l1, l2;",
      "shf.l.b32 r0, r1, r2, r3;",
      "shf.wrap.b32 r0, r1, r2, r3;",
      "shf.l.wrap.b64 l0, l1, l2, r3;",
  };
  for (const std::string_view form : forms) check_refused(form);
}

}  // namespace
}  // namespace lathe::tests
