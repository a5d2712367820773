#include "tools/lathe/progress.h"

#include "tests/support/catch.h"

using namespace lathe::tools;
using std::chrono::duration;

TEST_CASE("The bar shows how far, how fast and how long still") {
  const ProgressState state{.done = 12, .total = 60, .failed = 0, .elapsed = duration<double>(3.0)};
  CHECK(progress_bar(state, "cuda:sm_80 x", 80) ==
        "[====>                   ] 12/60  4.0/s  ETA 12 s  cuda:sm_80 x");
}

TEST_CASE("The bar counts failures") {
  const ProgressState state{.done = 1, .total = 2, .failed = 1, .elapsed = duration<double>(0)};
  CHECK(progress_bar(state, "", 80) == "[============>           ] 1/2  1 failed");
}

TEST_CASE("A full bar has no head") {
  const ProgressState state{.done = 2, .total = 2, .failed = 0, .elapsed = duration<double>(0)};
  CHECK(progress_bar(state, "", 80) == "[========================] 2/2");
}

TEST_CASE("The bar never wraps") {
  const ProgressState state{.done = 1, .total = 2, .failed = 0, .elapsed = duration<double>(1)};
  for (const int columns : {1, 2, 20, 40}) {
    CHECK(progress_bar(state, "something long", columns).size() <
          static_cast<std::size_t>(columns) + (columns == 1));
  }
}

TEST_CASE("A line of a log has the count in front") {
  CHECK(progress_line({.done = 3, .total = 120}, "name") == "  3/120 name");
}

TEST_CASE("Durations are short to read") {
  CHECK(format_duration(duration<double>(0.42)) == "0.4 s");
  CHECK(format_duration(duration<double>(12.4)) == "12 s");
  CHECK(format_duration(duration<double>(200)) == "3 min 20 s");
}

TEST_CASE("Without a terminal every step is a plain line") {
  std::FILE* file = std::tmpfile();
  Console console(file, file, {});
  {
    Progress progress(console, 2);
    progress.step("a", false);
    progress.step("b", true);
  }
  std::rewind(file);
  char text[64] = {};
  const std::size_t size = std::fread(text, 1, sizeof text - 1, file);
  CHECK(std::string(text, size) == "1/2 a\n2/2 b\n");
  std::fclose(file);
}
