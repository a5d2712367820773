#include "tools/lathe/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace lathe::tools {

namespace {

constexpr std::string_view kRed = "31";
constexpr std::string_view kYellow = "33";

void write_line(std::FILE* file, std::string_view text) {
  fmt::print(file, "{}\n", text);
}

}  // namespace

void Console::clear_line() {
  if (!is_drawn_) return;
  fmt::print(messages_, "\r\x1b[K");
  is_drawn_ = false;
}

std::string Console::paint(std::string_view text, std::string_view colour) const {
  return style_.colour ? fmt::format("\x1b[1;{}m{}\x1b[0m", colour, text) : std::string(text);
}

void Console::print(std::string_view line) {
  std::lock_guard lock(mutex_);
  clear_line();
  write_line(results_, line);
}

void Console::note(std::string_view line) {
  std::lock_guard lock(mutex_);
  clear_line();
  write_line(messages_, line);
}

void Console::warn(std::string_view text) {
  std::lock_guard lock(mutex_);
  if (!warned_.emplace(text).second) return;
  clear_line();
  write_line(messages_, fmt::format("{} {}", paint("warning:", kYellow), text));
}

void Console::report(const Error& error) {
  std::lock_guard lock(mutex_);
  clear_line();
  write_line(messages_, fmt::format("{} {}", paint("error:", kRed), error.message));
  if (!error.hint.empty()) write_line(messages_, fmt::format("  hint: {}", error.hint));
  if (!error.spec.empty()) write_line(messages_, fmt::format("  spec: {}", error.spec));
  if (!error.excerpt.empty()) write_line(messages_, error.excerpt);
  if (!error.log.empty()) write_line(messages_, error.log);
}

void Console::draw(std::string_view line) {
  std::lock_guard lock(mutex_);
  fmt::print(messages_, "\r\x1b[K{}", line);
  std::fflush(messages_);
  is_drawn_ = true;
}

void Console::erase_drawn() {
  std::lock_guard lock(mutex_);
  clear_line();
  std::fflush(messages_);
}

bool Console::flush() {
  std::lock_guard lock(mutex_);
  clear_line();
  std::fflush(messages_);
  return std::fflush(results_) == 0 && std::ferror(results_) == 0;
}

Console::Style standard_style(bool no_color) {
  Console::Style style;
  style.is_terminal = isatty(STDERR_FILENO) == 1;
  style.colour = style.is_terminal && !no_color;
  winsize size{};
  if (style.is_terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.columns = size.ws_col;
  }
  return style;
}

}  // namespace lathe::tools
