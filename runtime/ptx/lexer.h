// PTX text to tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>

namespace lathe::runtime::ptx {

struct Token {
  enum class Kind : std::uint8_t {
    end,
    identifier,   ///< `add`, `%r1`, `$L__BB0_1`, `_`; `%tid.x` is one
    directive,    ///< with its point: `.reg`, `.u32`, `.shared::cluster`, `.L2::128B`
    integer,      ///< bits
    real32,       ///< 0f...: bits in the lower half
    real64,       ///< 0d... and decimal fractions: bits
    string,       ///< with its quotes
    punctuation,  ///< one character
  };
  Kind kind = Kind::end;
  std::string_view text;
  std::uint64_t bits = 0;
  int line = 0;  ///< from 1
};

/// The last token is the end. An opcode is an identifier, its modifiers are directives: `ld` `.global`
/// `.u32`.
Result<std::vector<Token>> tokens_of(std::string_view text);

/// On one line, without unprintable characters, cut where it is too long for a message.
std::string printable(std::string_view text);

/// Of load_failed. The excerpt is that line of the text.
Error bad_ptx(std::string_view text, int line, std::string_view message);

}  // namespace lathe::runtime::ptx
