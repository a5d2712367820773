// setp, against comparisons in a wider type.
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/comparison_values.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_combinations.h"

namespace lathe::tests {
namespace {

/// setp of all relations of a type, and of all combinations of `values`; value_of says what the bits mean.
template <class T, class ValueOf>
void check_setp(std::string_view type, const std::vector<Relation>& relations, const std::vector<T>& values,
                ValueOf value_of) {
  for (const Relation& relation : relations) {
    check_combinations<Flag>(
        fmt::format("setp.{}.{} d, a, b;", relation.name, type),
        [&](T a, T b) { return relation.holds(outcome(value_of(a), value_of(b))); }, values, values);
  }
}

TEMPLATE_TEST_CASE("integers are compared", "", std::uint16_t, std::int16_t, std::uint32_t, std::int32_t,
                   std::uint64_t, std::int64_t) {
  using T = TestType;
  const auto values = edge_values<T>();
  if constexpr (std::is_signed_v<T>) {
    check_setp(fmt::format("s{}", 8 * sizeof(T)), ordered(), values, kAsItIs);
  } else {
    check_setp(fmt::format("u{}", 8 * sizeof(T)), unsigned_relations(), values, kAsItIs);
    check_setp(fmt::format("b{}", 8 * sizeof(T)), equalities(), values, kAsItIs);
  }
}

TEST_CASE("floats are compared") {
  check_setp("f32", float_relations(), edge_values<float>(), kAsItIs);
  check_setp("ftz.f32", float_relations(), edge_values<float>(), kFlushed);
  check_setp("f64", float_relations(), edge_values<double>(), kAsItIs);
  check_setp("f16", float_relations(), half_values(10), kF16);
  check_setp("ftz.f16", float_relations(), half_values(10), kFlushedF16);
  check_setp("bf16", float_relations(), half_values(7), kBf16);
}

template <class ValueOf>
void check_packed_setp(std::string_view type, unsigned fraction_bits, ValueOf value_of) {
  const auto words = pairs_of(half_values(fraction_bits));
  for (const Relation& relation : float_relations()) {
    for (const unsigned half : {0U, 1U}) {
      check_combinations<Flag>(
          fmt::format("setp.{}.{} {}, a, b;", relation.name, type, half == 0 ? "d|p" : "p|d"),
          [&](std::uint32_t a, std::uint32_t b) {
            return relation.holds(outcome(value_of(a >> 16 * half), value_of(b >> 16 * half)));
          },
          words, words);
    }
  }
}

TEST_CASE("both halves of packed floats are compared") {
  check_packed_setp("f16x2", 10, kF16);
  check_packed_setp("ftz.f16x2", 10, kFlushedF16);
  check_packed_setp("bf16x2", 7, kBf16);
}

TEST_CASE("the second destination has the complement, each combined with the third source") {
  const auto values = edge_values<std::int32_t>();
  const auto flags = edge_values<Flag>();
  check_combinations<Flag>("setp.lt.s32 p|d, a, b;", [](int a, int b) { return a >= b; }, values, values);
  check_combinations<Flag>("setp.lt.s32 _|d, a, b;", [](int a, int b) { return a >= b; }, values, values);
  for (const BooleanOperation& operation : boolean_operations()) {
    check_combinations<Flag>(
        fmt::format("setp.lt.{}.s32 d, a, b, c;", operation.name),
        [&](int a, int b, Flag c) { return operation.apply(a < b, c == Flag::yes); }, values, values, flags);
    check_combinations<Flag>(
        fmt::format("setp.lt.{}.s32 d|_, a, b, !c;", operation.name),
        [&](int a, int b, Flag c) { return operation.apply(a < b, c == Flag::no); }, values, values, flags);
    check_combinations<Flag>(
        fmt::format("setp.lt.{}.s32 p|d, a, b, c;", operation.name),
        [&](int a, int b, Flag c) { return operation.apply(!(a < b), c == Flag::yes); }, values, values,
        flags);
  }
  const auto words = pairs_of(half_values(10));
  check_combinations<Flag>(
      "setp.gt.xor.f16x2 p|d, a, b, c;",
      [](std::uint32_t a, std::uint32_t b, Flag c) {
        return (kF16(a >> 16) > kF16(b >> 16)) != (c == Flag::yes);
      },
      words, words, flags);
}

TEST_CASE("a destination may be a source, and lanes that are turned off keep what they have") {
  const std::vector<std::int32_t> values{1, 5, 9};
  const std::vector<Flag> flags{Flag::no, Flag::yes, Flag::yes};
  const auto result = [&](std::string_view text) { return evaluate<Flag>(text, values, flags); };
  CHECK(result("mov.pred d, b; setp.lt.and.s32 d, a, 6, d;") == std::vector{Flag::no, Flag::yes, Flag::no});
  CHECK(result("mov.pred d, b; @d setp.gt.s32 d, a, 6;") == std::vector{Flag::no, Flag::no, Flag::yes});
}

TEST_CASE("forms of setp that PTX does not have are refused") {
  const std::string_view forms[] = {
      "setp.lo.s32 p, r0, r1;",     "setp.lt.b32 p, r0, r1;",     "setp.lo.b32 p, r0, r1;",
      "setp.equ.s32 p, r0, r1;",    "setp.lo.f32 p, f0, f1;",     "setp.s32 p, r0, r1;",
      "setp.eq.f16 p|q, h0, h1;",   "setp.eq.f16x2 p, r0, r1;",   "setp.ftz.eq.bf16 p, h0, h1;",
      "setp.eq.ftz.f64 p, g0, g1;", "setp.eq.ftz.s32 p, r0, r1;", "setp.eq.s32 r0, r1, r2;",
      "setp.eq.and.s32 p, r0, r1;", "setp.eq.s32 p, r0, r1, q;",  "setp.eq.lt.s32 p, r0, r1;",
      "setp.eq.pred p, q, q;",      "setp.eq.s32 p, r0, l1;",     "setp.eq.b8 p, h0, h1;",
  };
  for (const std::string_view form : forms) check_refused(form);
}

}  // namespace
}  // namespace lathe::tests
