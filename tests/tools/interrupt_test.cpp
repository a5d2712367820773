#include "tools/lathe/interrupt.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/support/catch.h"

using lathe::tools::Interrupt;

namespace {

bool becomes_true(const std::atomic<bool>& flag) {
  for (int i = 0; i < 2000 && !flag; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return flag;
}

}  // namespace

TEST_CASE("A signal sets the flag") {
  std::atomic<bool> stop{false};
  const Interrupt interrupt(stop);
  CHECK_FALSE(interrupt.is_set());
  kill(getpid(), SIGINT);
  CHECK(becomes_true(stop));
  CHECK(interrupt.is_set());
}

TEST_CASE("A flag set for another reason is no signal") {
  std::atomic<bool> stop{true};
  const Interrupt interrupt(stop);
  CHECK_FALSE(interrupt.is_set());
}

TEST_CASE("A second signal ends the process with status 130") {
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<bool> stop{false};
    const Interrupt interrupt(stop);
    kill(getpid(), SIGINT);
    becomes_true(stop);
    kill(getpid(), SIGINT);
    std::this_thread::sleep_for(std::chrono::seconds(5));
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
}
