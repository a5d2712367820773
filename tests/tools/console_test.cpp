#include "tools/lathe/console.h"

#include <cstdio>
#include <string>

#include "tests/support/catch.h"

using namespace lathe;
using tools::Console;

namespace {

/// A console on two files that are read back.
class Recorded {
 public:
  explicit Recorded(Console::Style style) : console(results_, messages_, style) {}
  ~Recorded() {
    std::fclose(results_);
    std::fclose(messages_);
  }
  std::string results() { return content_of(results_); }
  std::string messages() { return content_of(messages_); }

 private:
  static std::string content_of(std::FILE* file) {
    std::fflush(file);
    std::rewind(file);
    std::string text;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
    return text;
  }
  std::FILE* results_ = std::tmpfile();
  std::FILE* messages_ = std::tmpfile();

 public:
  Console console;
};

}  // namespace

TEST_CASE("Results and messages go to different streams") {
  Recorded recorded({});
  recorded.console.print("result");
  recorded.console.note("message");
  CHECK(recorded.results() == "result\n");
  CHECK(recorded.messages() == "message\n");
}

TEST_CASE("A warning is said once") {
  Recorded recorded({});
  recorded.console.warn("the disk is full");
  recorded.console.warn("the disk is full");
  recorded.console.warn("full");
  CHECK(recorded.messages() == "warning: the disk is full\nwarning: full\n");
}

TEST_CASE("An error comes with all that is known of it") {
  Recorded recorded({});
  recorded.console.report({.message = "what", .hint = "do", .spec = "s", .log = "l", .excerpt = "e"});
  CHECK(recorded.messages() == "error: what\n  hint: do\n  spec: s\ne\nl\n");
}

TEST_CASE("Colours are used only where they were asked for") {
  Recorded plain({});
  plain.console.warn("w");
  CHECK(plain.messages().find('\x1b') == std::string::npos);
  Recorded coloured({.is_terminal = true, .colour = true});
  coloured.console.warn("w");
  CHECK(coloured.messages().find("\x1b[1;33mwarning:\x1b[0m") != std::string::npos);
}

TEST_CASE("A drawn line is removed before the next line is written") {
  Recorded recorded({.is_terminal = true});
  recorded.console.draw("half");
  recorded.console.note("whole");
  CHECK(recorded.messages() == "\r\x1b[Khalf\r\x1b[Kwhole\n");
}

TEST_CASE("NO_COLOR turns colours off") {
  CHECK_FALSE(tools::standard_style(true).colour);
}
