// Several processes and threads over one directory.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

#include "cache/disk_store.h"
#include "tests/support/catch.h"
#include "tests/support/sample_entry.h"
#include "tests/support/temp_dir.h"

using namespace lathe::cache;
using lathe::tests::sample_entry;
using lathe::tests::TempDir;

namespace {

/// Runs `body` in `count` processes; true if all of them returned true.
template <class Body>
bool in_processes(int count, Body body) {
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(body(i) ? 0 : 1);
    children.push_back(child);
  }
  bool all = true;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    all = all && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  return all;
}

Entry large_entry(int writer) {
  Entry entry = sample_entry();
  entry.metadata = std::to_string(writer);
  entry.sections[0].bytes.assign(20'000, static_cast<std::byte>(writer));
  return entry;
}

/// Whole, and from one writer.
bool is_whole(const Entry& entry) {
  return entry == large_entry(std::stoi(entry.metadata));
}

}  // namespace

TEST_CASE("readers never see half of what several processes and threads write") {
  const TempDir directory;
  const bool all = in_processes(4, [&](int process) {
    const auto store = DiskStore::open({.root = directory.path()}).value();
    std::atomic<bool> fine{true};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        const Entry mine = large_entry(process * 3 + t + 1);
        for (int round = 0; round < 60; ++round) {
          if (!store->put(mine)) fine = false;
          const auto found = store->get(digest_of(mine.key_text), mine.key_text);
          if (!found || !*found || !is_whole(**found)) fine = false;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return fine && store->corrupt_count() == 0;
  });
  CHECK(all);
}

TEST_CASE("of processes that need one kernel, one makes it") {
  const TempDir directory;
  void* shared = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto* made = new (shared) std::atomic<int>(0);
  const bool all = in_processes(8, [&](int) {
    const auto store = DiskStore::open({.root = directory.path()}).value();
    const Entry entry = sample_entry();
    const Digest key = digest_of(entry.key_text);
    const auto lock = store->lock(key, std::chrono::seconds(20));
    if (!lock) return false;
    if (store->get(key, entry.key_text).value()) return true;
    ++*made;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return store->put(entry).has_value();
  });
  CHECK(all);
  CHECK(*made == 1);
  munmap(shared, 4096);
}
