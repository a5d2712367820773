#include "runtime/ptx/predicate_logic.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_snippet.h"

namespace lathe::runtime::ptx {
namespace {

// Bits 0 to 3: both are defined. 4 and 5: b is 0 and 1, a unknown. 6 and 7: a is 1 and 0, b unknown. From 8
// on nothing is known.
constexpr KnownMask kA{0b0'0101'1100, 0b0'1100'1111};
constexpr KnownMask kB{0b0'1010'1010, 0b0'0011'1111};

TEST_CASE("logic is defined where one side decides") {
  const KnownMask conjunction = combine(Logic::conjunction, kA, kB);
  CHECK((conjunction.value & 0xf) == 0b1000);
  CHECK(conjunction.defined == 0b0'1001'1111);
  const KnownMask disjunction = combine(Logic::disjunction, kA, kB);
  CHECK((disjunction.value & 0xf) == 0b1110);
  CHECK(disjunction.defined == 0b0'0110'1111);
  const KnownMask exclusive = combine(Logic::exclusive, kA, kB);
  CHECK((exclusive.value & 0xf) == 0b0110);
  CHECK(exclusive.defined == 0b0'0000'1111);
  CHECK(~kA == KnownMask{~kA.value, kA.defined});
}

/// Stores 1 or 2, under guards that the snippet's p decides, where `a` is at least 2.
Result<std::vector<std::uint32_t>> guarded(std::string_view instructions) {
  const std::string text = std::string(instructions) + "mov.b32 d, 2; @p mov.b32 d, 1;";
  return tests::try_evaluate<std::uint32_t>(text, std::vector<std::uint32_t>{1, 2, 3});
}

TEST_CASE("a guard may depend on what is undefined only where that cannot matter") {
  // r0 is written only where a >= 2.
  const std::string_view partial = "setp.ge.u32 q, a, 2; @q mov.b32 r0, a; ";
  const auto with = [&](std::string_view rest) { return guarded(std::string(partial) + std::string(rest)); };

  auto decided = with("setp.eq.u32 p, r0, 3; and.pred p, q, p;");
  REQUIRE(decided);
  CHECK(*decided == std::vector<std::uint32_t>{2, 2, 1});
  decided = with("setp.eq.and.u32 p, r0, 3, q;");
  REQUIRE(decided);
  CHECK(*decided == std::vector<std::uint32_t>{2, 2, 1});
  decided = with("set.eq.and.u32.u32 r1, r0, 3, q; setp.ne.u32 p, r1, 0;");
  REQUIRE(decided);
  CHECK(*decided == std::vector<std::uint32_t>{2, 2, 1});
  decided = with("selp.b32 r1, r0, 7, q; setp.eq.u32 p, r1, 7;");
  REQUIRE(decided);
  CHECK(*decided == std::vector<std::uint32_t>{1, 2, 2});

  CHECK_FALSE(with("setp.eq.u32 p, r0, 3;"));
  CHECK_FALSE(with("setp.eq.or.u32 p, r0, 3, q;"));
  CHECK_FALSE(with("setp.eq.u32 p, r0, 3; xor.pred p, p, q;"));
  CHECK_FALSE(with("selp.b32 r1, 7, r0, q; setp.eq.u32 p, r1, 7;"));
  CHECK_FALSE(with("set.eq.u32.u32 r1, r0, 7; setp.eq.u32 p, r1, 0;"));
  CHECK_FALSE(with("add.cc.u32 r1, r0, 1; addc.u32 r1, 0, 0; setp.eq.u32 p, r1, 0;"));
}

}  // namespace
}  // namespace lathe::runtime::ptx
