#include "runtime/ptx/token_reader.h"

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime::ptx {

namespace {

bool is_fixed_text(Token::Kind kind) {
  return kind == Token::Kind::punctuation || kind == Token::Kind::directive;
}

}  // namespace

const Token& TokenReader::next() {
  const Token& token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool TokenReader::next_is(std::string_view text, std::size_t ahead) const {
  const Token& token = peek(ahead);
  return is_fixed_text(token.kind) && token.text == text;
}

bool TokenReader::take(std::string_view text) {
  if (!next_is(text)) return false;
  next();
  return true;
}

Result<void> TokenReader::expect(std::string_view text) {
  if (take(text)) return {};
  return expected(fmt::format("`{}`", text));
}

Result<std::string_view> TokenReader::expect_name(std::string_view what) {
  if (peek().kind != Token::Kind::identifier) return expected(what);
  return next().text;
}

Result<std::uint64_t> TokenReader::expect_integer(std::string_view what) {
  if (peek().kind != Token::Kind::integer) return expected(what);
  return next().bits;
}

Result<Token> TokenReader::expect_number(std::string_view what) {
  constexpr std::uint64_t kSign64 = std::uint64_t{1} << 63;
  constexpr std::uint64_t kSign32 = std::uint64_t{1} << 31;
  const bool is_negative = take("-");
  Token number = peek();
  switch (number.kind) {
    case Token::Kind::integer:
      if (!is_negative) break;
      if (number.bits > kSign64) return error(fmt::format("number out of range: -{}", number.text));
      number.bits = 0 - number.bits;
      break;
    case Token::Kind::real32:
      number.bits ^= is_negative ? kSign32 : 0;
      break;
    case Token::Kind::real64:
      number.bits ^= is_negative ? kSign64 : 0;
      break;
    default:
      return expected(what);
  }
  next();
  return number;
}

Result<std::int64_t> TokenReader::offset() {
  std::uint64_t sum = 0;
  while (next_is("+") || next_is("-")) {
    // A minus is left to expect_number, which knows how far such a number may go.
    take("+");
    if (peek().kind != Token::Kind::integer && !next_is("-")) return expected("an offset");
    LATHE_TRY(const Token number, expect_number("an offset"));
    if (number.kind != Token::Kind::integer) return error("an offset must be an integer");
    sum += number.bits;
  }
  return static_cast<std::int64_t>(sum);
}

Result<void> TokenReader::skip_braces() {
  const int line = peek().line;
  LATHE_CHECK(expect("{"));
  for (std::size_t depth = 1; depth > 0;) {
    if (at_end()) return error_at(line, "`{` without its `}`: the text ends early");
    const Token& token = next();
    if (token.kind != Token::Kind::punctuation) continue;
    if (token.text == "{") ++depth;
    if (token.text == "}") --depth;
  }
  return {};
}

std::string_view TokenReader::text_between(std::size_t first, std::size_t last) const {
  const char* const begin = tokens_[first].text.data();
  const Token& end = tokens_[last];
  return {begin, static_cast<std::size_t>(end.text.data() + end.text.size() - begin)};
}

std::string_view TokenReader::text_from(std::size_t position) const {
  return text_between(position, at_ == position ? position : at_ - 1);
}

Error TokenReader::expected(std::string_view what) const {
  if (at_end()) return error(fmt::format("the text ends early: expected {}", what));
  return error(fmt::format("expected {}, found `{}`", what, printable(peek().text)));
}

Error TokenReader::error_at(int line, std::string_view message) const {
  // Enough for a quote; a text without any `;` must not make every error slow.
  constexpr std::size_t kTokensOfQuote = 64;
  std::size_t last = statement_;
  const std::size_t limit = std::min(statement_ + kTokensOfQuote, tokens_.size());
  while (last + 1 < limit && tokens_[last + 1].text != ";" && tokens_[last + 1].kind != Token::Kind::end) {
    ++last;
  }
  return error_in(text_between(statement_, last), line, message);
}

Error TokenReader::error_in(std::string_view statement, int line, std::string_view message) const {
  if (statement.empty()) return bad_ptx(text_, line, message);
  return bad_ptx(text_, line, fmt::format("{} in `{}`", message, printable(statement)));
}

}  // namespace lathe::runtime::ptx
