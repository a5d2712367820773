// Bit fields, searches and permutations, against definitions that go bit by bit.
#include <algorithm>
#include <cstddef>
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

TEMPLATE_TEST_CASE("bit fields are extracted", "", std::uint32_t, std::int32_t, std::uint64_t, std::int64_t) {
  using T = TestType;
  const auto expected = [](T a, std::uint32_t b, std::uint32_t c) {
    const unsigned position = b & 0xff;
    const unsigned length = c & 0xff;
    const unsigned last = kBits<T> - 1;
    const std::uint64_t source = unsigned_value(a);
    const bool sign =
        std::is_signed_v<T> && length != 0 && bit(source, std::min(position + length - 1, last));
    return from_bits<T>(
        [&](unsigned i) { return i < length && position + i <= last ? bit(source, position + i) : sign; });
  };
  check_combinations<T>(fmt::format("bfe.{} d, a, b, c;", type_name<T>()), expected, edge_values<T>(),
                        shift_amounts(), shift_amounts());
}

TEMPLATE_TEST_CASE("bit fields are inserted", "", std::uint32_t, std::uint64_t) {
  using T = TestType;
  const std::vector<T> values{0, static_cast<T>(~T{0}), static_cast<T>(0x0123456789abcdef)};
  const auto expected = [](T a, T b, std::uint32_t c, std::uint32_t e) {
    const unsigned position = c & 0xff;
    const unsigned length = e & 0xff;
    return from_bits<T>([&](unsigned i) {
      return i >= position && i - position < length ? bit(a, i - position) : bit(b, i);
    });
  };
  check_combinations<T>(fmt::format("bfi.{} d, a, b, c, e;", type_name<T>('b')), expected, values, values,
                        shift_amounts(), shift_amounts());
}

TEST_CASE("bit masks") {
  for (const bool wraps : {false, true}) {
    const auto expected = [&](std::uint32_t a, std::uint32_t b) {
      const std::uint64_t position = wraps ? a & 31 : a;
      const std::uint64_t width = wraps ? b & 31 : b;
      return from_bits<std::uint32_t>([&](unsigned i) { return i >= position && i < position + width; });
    };
    check_combinations<std::uint32_t>(fmt::format("bmsk.{}.b32 d, a, b;", wraps ? "wrap" : "clamp"), expected,
                                      shift_amounts(), shift_amounts());
  }
}

TEMPLATE_TEST_CASE("extensions of the lower bits", "", std::uint32_t, std::int32_t) {
  using T = TestType;
  for (const bool wraps : {false, true}) {
    const auto expected = [&](T a, std::uint32_t b) {
      const std::uint32_t width = wraps ? b & 31 : std::min(b, 32U);
      const std::uint64_t source = unsigned_value(a);
      const bool sign = std::is_signed_v<T> && width != 0 && bit(source, width - 1);
      return from_bits<T>([&](unsigned i) { return i < width ? bit(source, i) : sign; });
    };
    check_combinations<T>(fmt::format("szext.{}.{} d, a, b;", wraps ? "wrap" : "clamp", type_name<T>()),
                          expected, edge_values<T>(), shift_amounts());
  }
}

/// The highest bit that differs from the sign; -1 if there is none.
template <class T>
int leading(T a) {
  int i = kBits<T> - 1;
  while (i >= 0 && bit(unsigned_value(a), static_cast<unsigned>(i)) == (a < 0)) --i;
  return i;
}

TEMPLATE_TEST_CASE("searches of a leading bit", "", std::uint32_t, std::int32_t, std::uint64_t,
                   std::int64_t) {
  using T = TestType;
  const auto values = edge_values<T>();
  const std::string type = type_name<T>();
  check_combinations<std::uint32_t>(fmt::format("bfind.{} d, a;", type), leading<T>, values);
  check_combinations<std::uint32_t>(
      fmt::format("bfind.shiftamt.{} d, a;", type),
      [](T a) { return leading(a) < 0 ? -1 : static_cast<int>(kBits<T>) - 1 - leading(a); }, values);
}

TEMPLATE_TEST_CASE("counts and reversals", "", std::uint32_t, std::uint64_t) {
  using T = TestType;
  const auto values = edge_values<T>();
  const std::string type = type_name<T>('b');
  const auto ones = [](T a) {
    unsigned count = 0;
    for (unsigned i = 0; i < kBits<T>; ++i) count += bit(a, i) ? 1 : 0;
    return count;
  };
  check_combinations<std::uint32_t>(fmt::format("popc.{} d, a;", type), ones, values);
  check_combinations<std::uint32_t>(
      fmt::format("clz.{} d, a;", type), [](T a) { return static_cast<int>(kBits<T>) - 1 - leading(a); },
      values);
  check_combinations<T>(
      fmt::format("brev.{} d, a;", type),
      [](T a) { return from_bits<T>([&](unsigned i) { return bit(a, kBits<T> - 1 - i); }); }, values);
}

TEST_CASE("the n-th set bit") {
  const std::vector<std::uint32_t> masks{0, 1, 0x80000000, 0xaaaaaaaa, 0xffffffff, 0x00f00700};
  const std::vector<std::uint32_t> bases{0, 1, 8, 15, 30, 31};
  const std::vector<std::int32_t> offsets{
      0, 1, 2, 3, 16, 32, 33, -1, -2, -3, -16, -32, -33, 0x7fffffff, -0x7fffffff - 1};
  const auto expected = [](std::uint32_t mask, std::uint32_t base, std::int32_t offset) {
    std::vector<std::uint32_t> found;
    if (offset == 0) return bit(mask, base) ? base : 0xffffffff;
    for (std::uint32_t i = 0; i < 32; ++i) {
      if (bit(mask, i) && (offset > 0 ? i >= base : i <= base)) found.push_back(i);
    }
    if (offset < 0) std::reverse(found.begin(), found.end());
    const auto n = static_cast<std::size_t>(std::abs(static_cast<std::int64_t>(offset)));
    return n <= found.size() ? found[n - 1] : 0xffffffff;
  };
  check_combinations<std::uint32_t>("fns.b32 d, a, b, c;", expected, masks, bases, offsets);
}

TEST_CASE("byte permutations of the digits") {
  const std::vector<std::uint32_t> values{0x80010203, 0x7f8000ff, 0xffffffff};
  const std::vector<std::uint32_t> choices{0x3210, 0x7654, 0x0123,     0xba98,
                                           0xfedc, 0xffff, 0x10325476, 0x8000};
  const auto expected = [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    return from_bits<std::uint32_t>([&](unsigned i) {
      const unsigned choice = c >> (i / 8 * 4) & 0xf;
      const unsigned byte = choice & 7;
      const unsigned from = byte % 4 * 8 + (choice >= 8 ? 7 : i % 8);
      return bit(byte < 4 ? a : b, from);
    });
  };
  check_combinations<std::uint32_t>("prmt.b32 d, a, b, c;", expected, values, values, choices);
}

TEST_CASE("byte permutations of the named modes") {
  struct Mode {
    std::string_view name;
    std::uint32_t digits[4];  ///< of the general form that does the same
  };
  const Mode modes[] = {
      {"f4e", {0x3210, 0x4321, 0x5432, 0x6543}}, {"b4e", {0x5670, 0x6701, 0x7012, 0x0123}},
      {"rc8", {0x0000, 0x1111, 0x2222, 0x3333}}, {"ecl", {0x3210, 0x3211, 0x3222, 0x3333}},
      {"ecr", {0x0000, 0x1110, 0x2210, 0x3210}}, {"rc16", {0x1010, 0x3232, 0x1010, 0x3232}},
  };
  const std::vector<std::uint32_t> numbers{0, 1, 2, 3, 4, 7, 0xfffffffe};
  const auto all = [&](const Mode& mode) {
    std::vector<std::uint32_t> digits;
    for (const std::uint32_t number : numbers) digits.push_back(mode.digits[number % 4]);
    return digits;
  };
  const std::vector<std::uint32_t> a(numbers.size(), 0x83828180);
  const std::vector<std::uint32_t> b(numbers.size(), 0x87868584);
  for (const Mode& mode : modes) {
    CHECK(evaluate<std::uint32_t>(fmt::format("prmt.b32.{} d, a, b, c;", mode.name), a, b, numbers) ==
          evaluate<std::uint32_t>("prmt.b32 d, a, b, c;", a, b, all(mode)));
  }
}

TEST_CASE("forms of bit instructions that PTX does not have are refused") {
  const std::string_view forms[] = {
      "bfe.b32 r0, r1, r2, r3;",
      "bfe.u16 h0, h1, r2, r3;",
      "bfi.u32 r0, r1, r2, r2, r3;",
      "bmsk.b32 r0, r1, r2;",
      "szext.wrap.b32 r0, r1, r2;",
      "szext.s32 r0, r1, r2;",
      "brev.u32 r0, r1;",
      "popc.b64 l0, l1;",
      "popc.b16 h0, h1;",
      "clz.u32 r0, r1;",
      "bfind.b32 r0, r1;",
      "fns.b64 l0, l1, r2, r3;",
      "prmt.b32.xyz r0, r1, r2, r3;",
      "prmt.b32.f4e.rc8 r0, r1, r2, r3;",
  };
  for (const std::string_view form : forms) check_refused(form);
}

}  // namespace
}  // namespace lathe::tests
