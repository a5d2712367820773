#include "runtime/ptx/lexer.h"

#include <string>
#include <vector>

#include "tests/runtime/ptx/nvrtc_sample.h"
#include "tests/support/catch.h"

using lathe::runtime::ptx::Token;
using lathe::runtime::ptx::tokens_of;
using Kind = lathe::runtime::ptx::Token::Kind;

namespace {

std::vector<Token> tokens(std::string_view text) {
  auto all = tokens_of(text);
  INFO(text);
  REQUIRE(all.has_value());
  REQUIRE(all->back().kind == Kind::end);
  all->pop_back();
  return *all;
}

Token token(std::string_view text) {
  const std::vector<Token> all = tokens(text);
  INFO(text);
  REQUIRE(all.size() == 1);
  return all.front();
}

std::string joined(std::string_view text) {
  std::string out;
  for (const Token& token : tokens(text)) out += std::string(token.text) + ' ';
  return out;
}

std::string message(std::string_view text) {
  const auto all = tokens_of(text);
  INFO(text);
  REQUIRE_FALSE(all.has_value());
  CHECK(all.error().code == lathe::ErrorCode::load_failed);
  CHECK(all.error().stage == lathe::Stage::load);
  return all.error().message;
}

}  // namespace

TEST_CASE("ptx lexer: an instruction") {
  CHECK(joined("@!%p1 ld.global.v4.u32\t{%r7,%r8}, [%rd27+-16];") ==
        "@ ! %p1 ld .global .v4 .u32 { %r7 , %r8 } , [ %rd27 + - 16 ] ; ");
  CHECK(joined("shfl.sync.bfly.b32 %r1|%p2,_") == "shfl .sync .bfly .b32 %r1 | %p2 , _ ");
}

TEST_CASE("ptx lexer: a modifier keeps what follows its double colon") {
  CHECK(joined("ld.shared::cluster.L2::128B.L1::no_allocate.b32") ==
        "ld .shared::cluster .L2::128B .L1::no_allocate .b32 ");
  CHECK(joined("tcgen05.alloc.cta_group::1.m64n8k16") == "tcgen05 .alloc .cta_group::1 .m64n8k16 ");
  CHECK(token(".mbarrier::complete_tx::bytes").kind == Kind::directive);
  CHECK(joined("L: .reg") == "L : .reg ");
}

TEST_CASE("ptx lexer: names") {
  for (const std::string_view name :
       {"$L__BB0_1", "%r1", "_", "_Z3fooi", "$str$1", "%tid.x", "%cluster_nctaid.w", "remote"}) {
    CHECK(token(name).kind == Kind::identifier);
    CHECK(token(name).text == name);
  }
  CHECK(joined("%r1.xy a.x") == "%r1 .xy a .x ");
}

TEST_CASE("ptx lexer: integers") {
  CHECK(token("0").bits == 0);
  CHECK(token("42").bits == 42);
  CHECK(token("42U").bits == 42);
  CHECK(token("0U").bits == 0);
  CHECK(token("0xfF").bits == 255);
}

TEST_CASE("ptx lexer: integers of other bases, and the largest") {
  CHECK(token("0x1FU").bits == 31);
  CHECK(token("017").bits == 15);
  CHECK(token("0b101").bits == 5);
  CHECK(token("18446744073709551615").bits == ~std::uint64_t{0});
  CHECK(token("0xFFFFFFFFFFFFFFFF").bits == ~std::uint64_t{0});
}

TEST_CASE("ptx lexer: floating-point numbers") {
  CHECK(token("0f3F800000").kind == Kind::real32);
  CHECK(token("0f3F800000").bits == 0x3F800000);
  CHECK(token("0F00000000").bits == 0);
  CHECK(token("0d3FF0000000000000").kind == Kind::real64);
  CHECK(token("0d3FF0000000000000").bits == 0x3FF0000000000000);
  CHECK(token("1.5").kind == Kind::real64);
  CHECK(token("1.5").bits == 0x3FF8000000000000);
  CHECK(token("0.25e+1").bits == 0x4004000000000000);
  CHECK(token("25e-1").bits == 0x4004000000000000);
}

TEST_CASE("ptx lexer: comments, strings and lines") {
  const auto all = tokens("a // b /* c\n/* d\n// e */ f\n\"g \\\" // h\"\r\n\t;");
  REQUIRE(all.size() == 4);
  CHECK(all[0].line == 1);
  CHECK(all[1].text == "f");
  CHECK(all[1].line == 3);
  CHECK(all[2].kind == Kind::string);
  CHECK(all[2].text == "\"g \\\" // h\"");
  CHECK(all[3].line == 5);
  CHECK(tokens("").empty());
  CHECK(tokens(" // no end of the line").empty());
}

TEST_CASE("ptx lexer: what is not a number") {
  CHECK(message("\n0x") == "PTX line 2: `0x` is not a number");
  CHECK(message("08") == "PTX line 1: `08` is not a number");
  CHECK(message("0b2") == "PTX line 1: `0b2` is not a number");
  CHECK(message("12abc") == "PTX line 1: `12abc` is not a number");
  CHECK(message("1.5x") == "PTX line 1: `1.5x` is not a number");
  CHECK(message("0f3F8") == "PTX line 1: `0f3F8` needs 8 hexadecimal digits");
  CHECK(message("0d3F800000") == "PTX line 1: `0d3F800000` needs 16 hexadecimal digits");
  CHECK(message("0f3F80000G") == "PTX line 1: `0f3F80000G` is not a number");
}

TEST_CASE("ptx lexer: numbers out of range") {
  CHECK(message("18446744073709551616") == "PTX line 1: number out of range: 18446744073709551616");
  CHECK(message("0x10000000000000000") == "PTX line 1: number out of range: 0x10000000000000000");
  CHECK(message("1.0e999") == "PTX line 1: number out of range: 1.0e999");
}

TEST_CASE("ptx lexer: text that ends early and characters of no token") {
  CHECK(message("a\n /* b\n") == "PTX line 2: a comment without its end");
  CHECK(message("\"abc") == "PTX line 1: a string without its end");
  CHECK(message("\"abc\\") == "PTX line 1: a string without its end");
  CHECK(message("\"abc\n\"") == "PTX line 1: a string without its end");
  CHECK(message("a ?") == "PTX line 1: unexpected character `?`");
  CHECK(message("a % b") == "PTX line 1: unexpected character `%`");
  CHECK(message("a . b") == "PTX line 1: unexpected character `.`");
  CHECK(message("\xff") == "PTX line 1: unexpected byte 0xff");
  CHECK(message(std::string_view("a\0b", 3)) == "PTX line 1: unexpected byte 0x00");
}

TEST_CASE("ptx lexer: the excerpt is the line") {
  const auto all = tokens_of("first\n\tadd ? \x01\nlast");
  REQUIRE_FALSE(all.has_value());
  CHECK(all.error().excerpt == "    2 |  add ? ?");
}

TEST_CASE("ptx lexer: every byte value and every truncation end well") {
  for (int c = 0; c < 256; ++c) {
    for (const std::string_view before : {"", "1", "0x", "%", ".", "\"", "/", "1.", "0f"}) {
      std::string text{before};
      text += static_cast<char>(c);
      CHECK((tokens_of(text).has_value() || true));
    }
  }
  using lathe::testing::kNvrtcSample;
  for (std::size_t size = 0; size <= kNvrtcSample.size(); ++size) {
    // A copy, so that reading past its end is noticed.
    const std::vector<char> text(kNvrtcSample.begin(),
                                 kNvrtcSample.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK((tokens_of({text.data(), text.size()}).has_value() || true));
  }
}
