// set, against comparisons in a wider type.
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/comparison_values.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_combinations.h"

namespace lathe::tests {
namespace {

/// set.R.S of integers or floats that are compared as they are.
template <class R, class S>
void check_set(std::string_view types, std::uint64_t truth, const std::vector<S>& values) {
  const auto flags = edge_values<Flag>();
  check_combinations<R>(
      fmt::format("set.le.{} d, a, b;", types), [&](S a, S b) { return a <= b ? truth : 0; }, values, values);
  for (const BooleanOperation& operation : boolean_operations()) {
    check_combinations<R>(
        fmt::format("set.gt.{}.{} d, a, b, !c;", operation.name, types),
        [&](S a, S b, Flag c) { return operation.apply(a > b, c == Flag::no) ? truth : 0; }, values, values,
        flags);
  }
}

TEST_CASE("set writes ones, or the number one") {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0};
  check_set<std::uint32_t>("u32.s16", kOnes, edge_values<std::int16_t>());
  check_set<std::uint32_t>("s32.u32", kOnes, edge_values<std::uint32_t>());
  check_set<std::uint32_t>("u32.s64", kOnes, edge_values<std::int64_t>());
  check_set<std::uint32_t>("s32.f32", kOnes, edge_values<float>());
  check_set<std::uint32_t>("u32.f64", kOnes, edge_values<double>());
  check_set<std::uint32_t>("f32.u16", std::bit_cast<std::uint32_t>(1.0F), edge_values<std::uint16_t>());
  check_set<std::uint32_t>("f32.f32", std::bit_cast<std::uint32_t>(1.0F), edge_values<float>());
  check_set<std::uint16_t>("f16.s32", 0x3c00, edge_values<std::int32_t>());
  check_set<std::uint16_t>("bf16.f64", 0x3f80, edge_values<double>());
}

template <class R, class S, class ValueOf>
void check_half_set(std::string_view types, std::uint64_t truth, const std::vector<S>& values,
                    ValueOf value_of) {
  for (const Relation& relation : float_relations()) {
    check_combinations<R>(
        fmt::format("set.{}.{} d, a, b;", relation.name, types),
        [&](S a, S b) { return relation.holds(outcome(value_of(a), value_of(b))) ? truth : 0; }, values,
        values);
  }
}

TEST_CASE("set of narrow floats") {
  check_half_set<std::uint16_t>("u16.f16", 0xffff, half_values(10), kF16);
  check_half_set<std::uint32_t>("s32.f16", 0xffffffff, half_values(10), kF16);
  check_half_set<std::uint16_t>("ftz.f16.f16", 0x3c00, half_values(10), kFlushedF16);
  check_half_set<std::uint16_t>("s16.bf16", 0xffff, half_values(7), kBf16);
  check_half_set<std::uint16_t>("bf16.bf16", 0x3f80, half_values(7), kBf16);
  check_half_set<std::uint32_t>("ftz.u32.f32", 0xffffffff, edge_values<float>(), kFlushed);
}

template <class ValueOf>
void check_packed_set(std::string_view types, std::uint32_t truth, unsigned fraction_bits, ValueOf value_of) {
  const auto words = pairs_of(half_values(fraction_bits));
  for (const Relation& relation : float_relations()) {
    check_combinations<std::uint32_t>(
        fmt::format("set.{}.and.{} d, a, b, c;", relation.name, types),
        [&](std::uint32_t a, std::uint32_t b, Flag c) {
          const auto half = [&](int shift) {
            const bool holds = relation.holds(outcome(value_of(a >> shift), value_of(b >> shift)));
            return holds && c == Flag::yes ? truth : 0;
          };
          return half(16) << 16 | half(0);
        },
        words, words, edge_values<Flag>());
  }
}

TEST_CASE("set of packed floats writes both halves") {
  check_packed_set("f16x2.f16x2", 0x3c00, 10, kF16);
  check_packed_set("ftz.u32.f16x2", 0xffff, 10, kFlushedF16);
  check_packed_set("bf16x2.bf16x2", 0x3f80, 7, kBf16);
  check_packed_set("s32.bf16x2", 0xffff, 7, kBf16);
}

TEST_CASE("forms of set that PTX does not have are refused") {
  const std::string_view forms[] = {
      "set.eq.u16.s32 h0, r1, r2;",      "set.eq.f32.f16 f0, h1, h2;",     "set.eq.f16.bf16 h0, h1, h2;",
      "set.eq.bf16x2.f16x2 r0, r1, r2;", "set.eq.f32.f16x2 f0, r1, r2;",   "set.eq.s64.s32 l0, r1, r2;",
      "set.eq.f64.s32 g0, r1, r2;",      "set.eq.ftz.f32.s32 f0, r1, r2;", "set.lo.u32.s32 r0, r1, r2;",
      "set.eq.b32.b32 r0, r1, r2;",      "set.eq.u32 r0, r1, r2;",         "set.eq.ftz.bf16.f32 h0, f1, f2;",
  };
  for (const std::string_view form : forms) check_refused(form);
}

}  // namespace
}  // namespace lathe::tests
