#include "cache/file_lock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using lathe::ErrorCode;
using lathe::cache::FileLock;
using std::chrono::milliseconds;

TEST_CASE("one holder at a time, threads included") {
  const lathe::tests::TempDir directory;
  const auto path = directory.path() / "lock";
  std::optional<FileLock> held(FileLock::acquire(path, milliseconds(0)).value());
  const auto refused = FileLock::acquire(path, milliseconds(30));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::cancelled);
  std::thread releaser([&] {
    std::this_thread::sleep_for(milliseconds(50));
    held.reset();
  });
  CHECK(FileLock::acquire(path, milliseconds(5000)).has_value());
  releaser.join();
}

TEST_CASE("the lock of a process that is killed is free") {
  const lathe::tests::TempDir directory;
  const auto path = directory.path() / "lock";
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = FileLock::acquire(path, milliseconds(0));
    (void)!write(ready[1], "x", 1);
    pause();
    _exit(lock ? 0 : 1);
  }
  char byte;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  CHECK_FALSE(FileLock::acquire(path, milliseconds(20)).has_value());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK(FileLock::acquire(path, milliseconds(1000)).has_value());
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("a lock that cannot be opened is another failure than one that is held") {
  CHECK(FileLock::acquire("/nonexistent/lock", milliseconds(0)).error().code == ErrorCode::io_failed);
  const lathe::tests::TempDir directory;
  std::filesystem::create_symlink("elsewhere", directory.path() / "link");
  CHECK(FileLock::acquire(directory.path() / "link", milliseconds(0)).error().code == ErrorCode::io_failed);
}
