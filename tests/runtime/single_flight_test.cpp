#include "runtime/single_flight.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

using lathe::runtime::SingleFlight;

TEST_CASE("threads that want the same thing share one making of it") {
  SingleFlight<std::string, int> flight;
  std::atomic<int> made{0}, waiting{0};
  std::vector<std::thread> threads;
  std::atomic<int> sum{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      ++waiting;
      sum += flight.run("kernel", [&] {
        // All eight have come by now or are about to; the maker holds the flight open for them.
        while (waiting < 8) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return ++made;
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(made == 1);
  CHECK(sum == 8);
}

TEST_CASE("a later call makes it afresh") {
  SingleFlight<int, int> flight;
  int made = 0;
  CHECK(flight.run(1, [&] { return ++made; }) == 1);
  CHECK(flight.run(1, [&] { return ++made; }) == 2);
}

TEST_CASE("different keys do not wait for each other") {
  SingleFlight<int, int> flight;
  CHECK(flight.run(1, [&] { return 10 * flight.run(2, [] { return 3; }); }) == 30);
}

TEST_CASE("what a making throws, all get thrown, and the next one makes it afresh") {
  SingleFlight<int, int> flight;
  std::atomic<int> waiting{0}, thrown{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      ++waiting;
      try {
        flight.run(1, [&]() -> int {
          while (waiting < 4) std::this_thread::yield();
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          throw std::runtime_error("no memory");
        });
      } catch (const std::runtime_error&) {
        ++thrown;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(thrown == 4);
  CHECK(flight.run(1, [] { return 5; }) == 5);
}
