#include "runtime/ptx/lexer.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime::ptx {

namespace {

constexpr std::string_view kPunctuation = ",;:{}[]()+-!|@=<>";
constexpr std::size_t kLongestExcerpt = 240;
constexpr std::size_t kLongestQuote = 120;

// Not those of <cctype>: they depend on the locale and must not be given negative characters.
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}
bool is_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> tokens() {
    std::vector<Token> all;
    do {
      LATHE_CHECK(skip_blanks());
      LATHE_TRY(Token token, next());
      all.push_back(token);
    } while (all.back().kind != Token::Kind::end);
    return all;
  }

 private:
  /// NUL past the end, which no rule accepts.
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  Result<void> skip_blanks();
  Result<Token> next();
  Token directive();
  Token identifier();
  Result<Token> string();
  Result<Token> number();
  Result<Token> real(Token token) const;
  Result<Token> integer(Token token, std::string_view digits, int base) const;

  void skip_name() {
    while (is_name(peek())) ++at_;
  }
  Token token(Token::Kind kind, std::size_t begin) const {
    return {.kind = kind, .text = text_.substr(begin, at_ - begin), .line = line_};
  }
  Error error(std::string_view message) const { return bad_ptx(text_, line_, message); }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

Result<void> Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    if (is_blank(peek())) {
      line_ += peek() == '\n' ? 1 : 0;
      ++at_;
    } else if (peek() == '/' && peek(1) == '/') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (peek() == '/' && peek(1) == '*') {
      const std::size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) return error("a comment without its end");
      line_ += static_cast<int>(std::ranges::count(text_.substr(at_, end - at_), '\n'));
      at_ = end + 2;
    } else {
      return {};
    }
  }
  return {};
}

Result<Token> Lexer::next() {
  if (at_ == text_.size()) return token(Token::Kind::end, at_);
  const char c = peek();
  if (is_digit(c)) return number();
  if (c == '.' && is_name(peek(1))) return directive();
  if (is_name(c) || (c == '%' && is_name(peek(1)))) return identifier();
  if (c == '"') return string();
  if (kPunctuation.find(c) != std::string_view::npos) {
    ++at_;
    return token(Token::Kind::punctuation, at_ - 1);
  }
  if (is_printable(c)) return error(fmt::format("unexpected character `{}`", c));
  return error(fmt::format("unexpected byte 0x{:02x}", static_cast<unsigned char>(c)));
}

Token Lexer::directive() {
  const std::size_t begin = at_++;
  skip_name();
  while (peek() == ':' && peek(1) == ':' && is_name(peek(2))) {
    at_ += 2;
    skip_name();
  }
  return token(Token::Kind::directive, begin);
}

Token Lexer::identifier() {
  const std::size_t begin = at_++;
  skip_name();
  constexpr std::string_view kComponents = "xyzw";
  if (text_[begin] == '%' && peek() == '.' && kComponents.find(peek(1)) != std::string_view::npos &&
      !is_name(peek(2))) {
    at_ += 2;
  }
  return token(Token::Kind::identifier, begin);
}

Result<Token> Lexer::string() {
  const std::size_t begin = at_++;
  while (at_ < text_.size() && peek() != '"' && peek() != '\n') at_ += peek() == '\\' ? 2 : 1;
  if (peek() != '"') {
    at_ = begin;
    return error("a string without its end");
  }
  ++at_;
  return token(Token::Kind::string, begin);
}

Result<Token> Lexer::number() {
  const std::size_t begin = at_;
  const char radix = peek() == '0' ? peek(1) : '\0';
  if (radix == '\0' || is_digit(radix) || !is_name(radix)) {
    while (is_digit(peek())) ++at_;
    bool is_real = false;
    if (peek() == '.' && is_digit(peek(1))) {
      is_real = true;
      do ++at_;
      while (is_digit(peek()));
    }
    const bool has_sign = peek(1) == '+' || peek(1) == '-';
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(has_sign ? 2 : 1))) {
      is_real = true;
      at_ += has_sign ? 2 : 1;
    }
    skip_name();
    if (is_real) return real(token(Token::Kind::real64, begin));
  }
  skip_name();
  Token found = token(Token::Kind::integer, begin);
  const bool is_unsigned = found.text.ends_with('U');
  const std::string_view digits = found.text.substr(0, found.text.size() - (is_unsigned ? 1 : 0));
  if (radix == 'x' || radix == 'X') return integer(found, digits.substr(2), 16);
  if (radix == 'b' || radix == 'B') return integer(found, digits.substr(2), 2);
  const bool is_real32 = radix == 'f' || radix == 'F';
  if (is_real32 || radix == 'd' || radix == 'D') {
    found.kind = is_real32 ? Token::Kind::real32 : Token::Kind::real64;
    if (found.text.size() != (is_real32 ? 10 : 18)) {
      return error(
          fmt::format("`{}` needs {} hexadecimal digits", printable(found.text), is_real32 ? 8 : 16));
    }
    return integer(found, found.text.substr(2), 16);
  }
  return integer(found, digits, digits.size() > 1 && digits.front() == '0' ? 8 : 10);
}

Result<Token> Lexer::real(Token token) const {
  double value = 0;
  const char* const end = token.text.data() + token.text.size();
  const auto [stop, code] = std::from_chars(token.text.data(), end, value);
  if (stop != end) return error(fmt::format("`{}` is not a number", printable(token.text)));
  if (code != std::errc{}) return error(fmt::format("number out of range: {}", printable(token.text)));
  token.bits = std::bit_cast<std::uint64_t>(value);
  return token;
}

Result<Token> Lexer::integer(Token token, std::string_view digits, int base) const {
  const char* const end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, token.bits, base);
  if (stop != end) return error(fmt::format("`{}` is not a number", printable(token.text)));
  if (code == std::errc::result_out_of_range) {
    return error(fmt::format("number out of range: {}", printable(token.text)));
  }
  if (code != std::errc{}) return error(fmt::format("`{}` is not a number", printable(token.text)));
  return token;
}

}  // namespace

Result<std::vector<Token>> tokens_of(std::string_view text) {
  return Lexer(text).tokens();
}

std::string printable(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (line.size() >= kLongestQuote) return line + "...";
    if (!is_blank(c)) {
      line += is_printable(c) ? c : '?';
    } else if (!line.ends_with(' ')) {
      line += ' ';
    }
  }
  return line;
}

Error bad_ptx(std::string_view text, int line, std::string_view message) {
  std::string_view rest = text;
  for (int i = 1; i < line; ++i) rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  std::string excerpt{rest.substr(0, std::min(rest.find('\n'), kLongestExcerpt))};
  for (char& c : excerpt) {
    if (!is_printable(c)) c = is_blank(c) ? ' ' : '?';
  }
  return {.code = ErrorCode::load_failed,
          .stage = Stage::load,
          .message = fmt::format("PTX line {}: {}", line, message),
          .excerpt = fmt::format("{:>5} | {}", line, excerpt)};
}

}  // namespace lathe::runtime::ptx
