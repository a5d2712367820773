#include "runtime/ptx/token_reader.h"

#include <string>
#include <string_view>
#include <utility>

#include "tests/support/catch.h"

using lathe::runtime::ptx::Token;
using lathe::runtime::ptx::TokenReader;
using lathe::runtime::ptx::tokens_of;

namespace {

TokenReader reader_of(std::string_view text) {
  auto tokens = tokens_of(text);
  REQUIRE(tokens.has_value());
  return {text, std::move(*tokens)};
}

}  // namespace

TEST_CASE("ptx token reader: behind the end there are only ends") {
  TokenReader reader = reader_of("a");
  CHECK(reader.peek(7).kind == Token::Kind::end);
  CHECK(reader.next().text == "a");
  CHECK(reader.at_end());
  CHECK(reader.next().kind == Token::Kind::end);
  CHECK(reader.next().kind == Token::Kind::end);
  CHECK(reader.error("late").message == "PTX line 1: late in `a`");
}

TEST_CASE("ptx token reader: names and strings are not taken for punctuation or directives") {
  TokenReader reader = reader_of("\";\" .reg ;");
  CHECK_FALSE(reader.take("\";\""));
  reader.next();
  CHECK(reader.next_is(";", 1));
  CHECK(reader.take(".reg"));
  CHECK(reader.expect(";").has_value());
  CHECK(reader.expect(";").error().message ==
        "PTX line 1: the text ends early: expected `;` in `\";\" .reg`");
}

TEST_CASE("ptx token reader: offsets") {
  const auto offset = [](std::string_view text) { return reader_of(text).offset(); };
  CHECK(*offset("") == 0);
  CHECK(*offset("]") == 0);
  CHECK(*offset("+8") == 8);
  CHECK(*offset("-8") == -8);
  CHECK(*offset("+-8+ 0x10") == 8);
  CHECK_FALSE(offset("+").has_value());
  CHECK_FALSE(offset("+ +8").has_value());
  CHECK_FALSE(offset("--8").has_value());
  CHECK_FALSE(offset("-9223372036854775809").has_value());
}

TEST_CASE("ptx token reader: braces") {
  TokenReader reader = reader_of("{ a { \"}\" } } b {");
  CHECK(reader.skip_braces().has_value());
  CHECK(reader.next().text == "b");
  CHECK_FALSE(reader.skip_braces().has_value());
  CHECK_FALSE(reader_of("a").skip_braces().has_value());
}

TEST_CASE("ptx token reader: errors quote the statement, on one line and not too long") {
  TokenReader reader = reader_of("first;\nmov\n\t%r1,  x; last");
  reader.next();
  reader.next();
  reader.start_statement();
  reader.next();
  const std::size_t begin = reader.position();
  CHECK(reader.error("wrong").message == "PTX line 3: wrong in `mov %r1, x`");
  reader.next();
  reader.next();
  CHECK(reader.text_from(begin) == "%r1,");
  const std::string pluses(5000, '+');
  const TokenReader plus = reader_of(pluses);
  CHECK(plus.error("wrong").message.size() < 200);
}

TEST_CASE("ptx token reader: an empty text") {
  TokenReader reader = reader_of("");
  CHECK(reader.at_end());
  CHECK(reader.error("nothing").message == "PTX line 1: nothing");
  CHECK(reader.text_from(reader.position()).empty());
}
