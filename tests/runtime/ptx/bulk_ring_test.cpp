// Rings of stages that bulk copies fill: right ones, and what is reported of those with a mistake.
#include "tests/runtime/ptx/bulk_ring.h"

using namespace lathe::tests;

TEST_CASE("rings of bulk loads") {
  for (const unsigned stages : {2U, 3U, 4U}) {
    for (const unsigned consumers : {1U, 3U}) {
      for (const unsigned rounds : {1U, 2U, 13U, 40U}) {
        const Ring ring{.stages = stages, .rounds = rounds, .consumers = consumers};
        for_each_async_run(ring_body(ring), {.threads = ring.threads(), .seeds = 4},
                           [&](const std::string& error, AsyncMachine& machine) {
                             REQUIRE(error == "");
                             CHECK(has_copied(machine, ring));
                           });
      }
    }
  }
}

TEST_CASE("mistakes in a ring are found") {
  const auto fails = [](const Ring& ring, const std::vector<std::string>& says) {
    expect_any_error(ring_body(ring), says, {.threads = ring.threads()});
  };
  const Ring right{.stages = 2, .rounds = 6, .consumers = 2};
  expect_ok(ring_body(right), {.threads = right.threads()});

  Ring ring = right;
  ring.waits_until_full = false;
  fails(ring, {"that nobody wrote", "data race"});
  ring = right;
  ring.first_parity = 1;
  fails(ring, {"that nobody wrote", "data race"});
  ring = right;
  ring.waits_until_empty = false;
  fails(ring, {"data race", "has yet to write", "more arrivals than the phase expects", "that nobody wrote"});
  ring = right;
  ring.releases = false;
  fails(ring, {"deadlock: nothing happens any more while these wait"});
  ring = right;
  ring.expects_bytes = false;
  fails(ring, {"that nobody wrote", "data race"});
  ring = right;
  ring.expected_bytes = kStageBytes + 16;
  fails(ring, {"whose phase 0 needs 0 of 1 arrivals and 16 bytes more"});
  ring.expected_bytes = kStageBytes - 16;
  fails(ring, {"whose phase 0 needs 0 of 1 arrivals and got 16 bytes more than it expects"});
}
