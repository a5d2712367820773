// Races between the blocks of a cluster, in shared memory that they see of each other.
#include "tests/runtime/ptx/race_runs.h"

namespace {

using lathe::tests::expect_clean;
using lathe::tests::expect_race;

constexpr lathe::tests::RaceRun kCluster{.blocks = 2, .cluster = 2, .threads = 64};

/// Block 1 reads what block 0 wrote into its own shared memory.
std::string exchange(std::string_view between) {
  return fmt::format(R"(
    @%home st.shared.u32 [%mine], %thread;
    mapa.shared::cluster.u32 %r1, %mine, 0;
    {}
    @!%home ld.shared::cluster.u32 %r2, [%r1];
    barrier.cluster.arrive.aligned;
    barrier.cluster.wait.aligned;
  )",
                     between);
}

TEST_CASE("the blocks of a cluster are ordered by its barrier") {
  expect_race(exchange(""), {"@%home st", "ld.shared::cluster"}, kCluster);
  expect_race(exchange("bar.sync 0;"), {"@%home st", "ld.shared::cluster"}, kCluster);
  expect_clean(exchange("barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;"), kCluster);
  expect_clean(exchange("barrier.cluster.arrive.release; barrier.cluster.wait.acquire;"), kCluster);
}

TEST_CASE("a relaxed arrival at the cluster's barrier needs a fence") {
  expect_race(exchange("barrier.cluster.arrive.relaxed; barrier.cluster.wait;"),
              {"@%home st", "ld.shared::cluster"}, kCluster);
  expect_clean(exchange("fence.acq_rel.cluster; barrier.cluster.arrive.relaxed; barrier.cluster.wait;"),
               kCluster);
}

TEST_CASE("what follows an arrival is not ordered by it") {
  expect_race(R"(
    barrier.cluster.arrive;
    @%home st.shared.u32 [%mine], %thread;
    barrier.cluster.wait;
    mapa.shared::cluster.u32 %r1, %mine, 0;
    @!%home ld.shared::cluster.u32 %r2, [%r1];
    barrier.cluster.arrive;
    barrier.cluster.wait;
  )",
              {"@%home st", "ld.shared::cluster"}, kCluster);
}

}  // namespace
