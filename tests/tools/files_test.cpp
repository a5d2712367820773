#include "tools/lathe/files.h"

#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace lathe;

TEST_CASE("What is written is read, and nothing is left beside it") {
  const tests::TempDir directory;
  const std::string path = (directory.path() / "file").string();
  const std::string content("a\0b\n", 4);
  REQUIRE(tools::write_file(path, "old"));
  REQUIRE(tools::write_file(path, content));
  CHECK(*tools::read_file(path) == content);
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}

TEST_CASE("A failure names path and reason") {
  const auto missing = tools::read_file("/nonexistent/file");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::io_failed);
  CHECK(missing.error().message == "cannot read /nonexistent/file: No such file or directory");
  const auto written = tools::write_file("/nonexistent/file", "x");
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find("/nonexistent/file") != std::string::npos);
}

TEST_CASE("A directory is not a file") {
  const tests::TempDir directory;
  CHECK_FALSE(tools::read_file(directory.path().string()));
  CHECK_FALSE(tools::write_file(directory.path().string(), "x"));
}

TEST_CASE("A device is written to, not replaced") {
  REQUIRE(tools::write_file("/dev/null", "x"));
  CHECK_FALSE(std::filesystem::is_regular_file("/dev/null"));
  CHECK_FALSE(tools::write_file("/dev/full", "x"));
}
