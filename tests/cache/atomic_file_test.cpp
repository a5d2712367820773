#include "cache/atomic_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "tests/support/catch.h"
#include "tests/support/sample_entry.h"
#include "tests/support/temp_dir.h"

using lathe::cache::AtomicFile;
using lathe::cache::write_atomically;
using lathe::tests::bytes_of;

namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::ptrdiff_t files_in(const std::filesystem::path& path) {
  return std::distance(std::filesystem::directory_iterator(path), {});
}

}  // namespace

TEST_CASE("a file appears whole, and replaces what was there") {
  const lathe::tests::TempDir directory;
  const auto path = directory.path() / "file";
  write_atomically(path, directory.path(), bytes_of("first")).value();
  CHECK(contents(path) == "first");
  write_atomically(path, directory.path(), bytes_of("second")).value();
  CHECK(contents(path) == "second");
  CHECK(files_in(directory.path()) == 1);
}

TEST_CASE("a file that is not published leaves nothing") {
  const lathe::tests::TempDir directory;
  {
    AtomicFile file = AtomicFile::create(directory.path()).value();
    file.write(bytes_of("half")).value();
    CHECK(files_in(directory.path()) == 1);
  }
  CHECK(files_in(directory.path()) == 0);
}

TEST_CASE("failures name the path and the reason") {
  const lathe::tests::TempDir directory;
  const auto missing = AtomicFile::create("/nonexistent");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().message == "cannot create a file in /nonexistent: No such file or directory");
  AtomicFile file = AtomicFile::create(directory.path()).value();
  CHECK_FALSE(file.publish("/nonexistent/file").has_value());
}

TEST_CASE("a full disk is an error, and what was there stays") {
  const lathe::tests::TempDir directory;
  const auto path = directory.path() / "file";
  write_atomically(path, directory.path(), bytes_of("kept")).value();
  const pid_t child = fork();
  if (child == 0) {
    // A limit on file sizes fails writes just as a full disk does.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto written = write_atomically(path, directory.path(), lathe::cache::Bytes(5000));
    _exit(!written && written.error().message.starts_with("cannot write to") ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(contents(path) == "kept");
  CHECK(files_in(directory.path()) == 1);
}

TEST_CASE("a process that dies at any step leaves the old file or the new one") {
  for (int step = 0; step < 4; ++step) {
    const lathe::tests::TempDir directory;
    const auto path = directory.path() / "file";
    write_atomically(path, directory.path(), bytes_of("old")).value();
    const pid_t child = fork();
    if (child == 0) {
      AtomicFile file = AtomicFile::create(directory.path()).value();
      if (step > 0) file.write(bytes_of("new")).value();
      if (step > 1) file.sync().value();
      if (step > 2) file.publish(path).value();
      kill(getpid(), SIGKILL);
    }
    waitpid(child, nullptr, 0);
    INFO("killed after step " << step);
    CHECK(contents(path) == (step > 2 ? "new" : "old"));
    CHECK(files_in(directory.path()) ==
          (step > 2 ? 1 : 2));  // what it was writing stays behind for the sweep
  }
}
