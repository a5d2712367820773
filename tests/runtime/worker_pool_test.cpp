#include "runtime/worker_pool.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "tests/support/catch.h"

using lathe::runtime::WorkerPool;

TEST_CASE("every task runs, on no more threads than allowed") {
  std::atomic<int> ran{0}, running{0}, most{0};
  {
    WorkerPool pool(3);
    std::promise<void> last;
    for (int i = 0; i < 100; ++i) {
      pool.submit([&](bool cancelled) {
        const int now = ++running;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        if (!cancelled) ++ran;
        --running;
        if (ran == 100) last.set_value();
      });
    }
    last.get_future().wait();
  }
  CHECK(ran == 100);
  CHECK(most <= 3);
}

TEST_CASE("a task may queue another") {
  std::promise<int> inner;
  WorkerPool pool(1);
  pool.submit([&](bool) { pool.submit([&](bool) { inner.set_value(7); }); });
  CHECK(inner.get_future().get() == 7);
}

TEST_CASE("destruction tells queued tasks that they are cancelled") {
  std::promise<void> started;
  std::atomic<bool> destroying{false};
  std::atomic<int> cancelled_tasks{0};
  {
    WorkerPool pool(1);
    pool.submit([&](bool) {
      started.set_value();
      // Long enough for the destructor to begin: it sets its flag before it waits for this task.
      while (!destroying) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    });
    started.get_future().wait();
    for (int i = 0; i < 5; ++i) pool.submit([&](bool cancelled) { cancelled_tasks += cancelled ? 1 : 0; });
    destroying = true;
  }
  CHECK(cancelled_tasks == 5);
}
