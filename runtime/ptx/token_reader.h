// TokenReader: the tokens of a PTX text one after the other, and errors that say where they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lathe/error.h>

#include "runtime/ptx/lexer.h"

namespace lathe::runtime::ptx {

class TokenReader {
 public:
  /// `tokens` as tokens_of() makes them: never empty.
  TokenReader(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

  /// Behind the last one there are only ends.
  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next();
  bool at_end() const { return peek().kind == Token::Kind::end; }

  /// Whether the next token is this punctuation or directive.
  bool next_is(std::string_view text, std::size_t ahead = 0) const;
  /// The same, and goes past it.
  bool take(std::string_view text);
  Result<void> expect(std::string_view text);
  Result<std::string_view> expect_name(std::string_view what);
  /// Without a sign.
  Result<std::uint64_t> expect_integer(std::string_view what);
  /// With or without a minus, which is then part of `bits`.
  Result<Token> expect_number(std::string_view what);
  /// What may follow an address: nothing, `+8`, `-8`, `+-8`, more than one of them.
  Result<std::int64_t> offset();
  /// From `{` to the `}` that belongs to it.
  Result<void> skip_braces();

  /// Errors quote the text from here on, to the next `;`.
  void start_statement() { statement_ = at_; }
  std::size_t position() const { return at_; }
  /// From that token to the last one read.
  std::string_view text_from(std::size_t position) const;

  /// At the next token.
  Error expected(std::string_view what) const;
  Error error(std::string_view message) const { return error_at(peek().line, message); }
  Error error_at(int line, std::string_view message) const;
  /// Of a statement that was read before.
  Error error_in(std::string_view statement, int line, std::string_view message) const;

 private:
  std::string_view text_between(std::size_t first, std::size_t last) const;

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t statement_ = 0;
};

}  // namespace lathe::runtime::ptx
