// Console: results go to stdout, everything else to stderr.
#pragma once

#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include <lathe/error.h>

namespace lathe::tools {

/// Thread-safe: each call writes whole lines. Does not own the streams.
class Console {
 public:
  struct Style {
    bool is_terminal = false;  ///< of stderr: progress may redraw a line
    bool colour = false;       ///< of stderr
    int columns = 80;
  };

  Console(std::FILE* results, std::FILE* messages, Style style)
      : results_(results), messages_(messages), style_(style) {}

  /// A line of the result.
  void print(std::string_view line);
  /// A line about how things go.
  void note(std::string_view line);
  /// "warning: ...", said once per text.
  void warn(std::string_view text);
  /// "error: ..." and what is known besides: hint, log, excerpt.
  void report(const Error& error);

  /// Replaces the last line of a terminal. REQUIRES: style().is_terminal.
  void draw(std::string_view line);
  /// Removes what draw() left, so that other lines start clean.
  void erase_drawn();

  /// False: a result could not be written (disk full, closed pipe).
  bool flush();

  const Style& style() const { return style_; }

 private:
  void clear_line();
  std::string paint(std::string_view text, std::string_view colour) const;

  std::FILE* results_;
  std::FILE* messages_;
  Style style_;
  std::mutex mutex_;
  bool is_drawn_ = false;
  std::set<std::string> warned_;
};

/// stdout and stderr of this process. Colour only on a terminal, and not when NO_COLOR is set.
Console::Style standard_style(bool no_color);

}  // namespace lathe::tools
