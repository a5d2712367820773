// Clusters: other blocks' shared memory, and the barrier between blocks.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;

namespace {

// Each block writes its number, then reads that of the next block of its cluster.
constexpr const char* kExchange = R"(
  .shared .align 4 .u32 s;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %cluster_ctarank;
  mov.u32 %r3, %cluster_nctarank;
  st.shared.u32 [s], %r1;
  barrier.cluster.arrive.release.aligned;
  barrier.cluster.wait.acquire.aligned;
  add.u32 %r4, %r2, 1;
  rem.u32 %r4, %r4, %r3;
  mov.u32 %r5, s;
  mapa.shared::cluster.u32 %r6, %r5, %r4;
  ld.shared::cluster.u32 %r7, [%r6];
  mov.u64 %l1, s;
  cvta.shared.u64 %l2, %l1;
  mapa.u64 %l3, %l2, %r4;
  ld.u32 %r8, [%l3];
  getctarank.shared::cluster.u32 %r9, %r6;
  barrier.cluster.arrive;
  barrier.cluster.wait;
  mad.wide.u32 %l4, %r1, 12, %l0;
  st.global.u32 [%l4], %r7;
  st.global.u32 [%l4+4], %r8;
  st.global.u32 [%l4+8], %r9;)";

}  // namespace

TEST_CASE("blocks of a cluster read each other's shared memory") {
  for (const std::uint64_t seed : {0, 1, 2}) {
    PtxMachine machine;
    machine.random_schedule = seed != 0;
    machine.seed = seed;
    machine.facts.cluster = {4, 1, 1};
    machine.grid = {8, 1, 1};
    machine.workers = 2;
    auto* out = machine.allocate<std::uint32_t>(24);
    // All 32 threads of a block do the same.
    machine.checks.races = false;
    machine.run_ok(32, ptx_kernel(1, kExchange), out);
    for (unsigned i = 0; i < 8; ++i) {
      const unsigned next = i / 4 * 4 + (i + 1) % 4;
      CHECK(out[3 * i] == next);
      CHECK(out[3 * i + 1] == next);
      CHECK(out[3 * i + 2] == next % 4);
    }
  }
}

TEST_CASE("a cluster of one is the block itself") {
  PtxMachine machine;
  auto* out = machine.allocate<std::uint32_t>(3);
  machine.checks.races = false;
  machine.run_ok(32, ptx_kernel(1, kExchange), out);
  CHECK(out[0] == 0);
  CHECK(out[2] == 0);
}

TEST_CASE("wrong uses of clusters") {
  PtxMachine machine;
  machine.facts.cluster = {2, 1, 1};
  machine.grid = {2, 1, 1};
  const auto beyond = machine.run_fault(32, ptx_kernel(0, R"(
    .shared .u32 s;
    mov.u32 %r1, s;
    mapa.shared::cluster.u32 %r2, %r1, 2;
    st.shared::cluster.u32 [%r2], %r0;)"));
  CHECK(beyond.find("of block 2 of a cluster of 2") != std::string::npos);
  const auto own = machine.run_fault(32, ptx_kernel(0, R"(
    .shared .u32 s;
    mov.u32 %r1, s;
    mapa.shared::cluster.u32 %r2, %r1, 1;
    st.shared.u32 [%r2], %r0;)"));
  CHECK(own.find("which is another block's: it needs .shared::cluster") != std::string::npos);
  CHECK(machine.run_fault(32, ptx_kernel(0, "barrier.cluster.wait;")).find("without having arrived") !=
        std::string::npos);
  CHECK(machine.run_fault(32, ptx_kernel(0, "barrier.cluster.arrive;\nbarrier.cluster.arrive;"))
            .find("again without having waited") != std::string::npos);
  const auto alone = machine.run_fault(32, ptx_kernel(0, R"(
    mov.u32 %r1, %cluster_ctarank;
    setp.eq.u32 %p1, %r1, 1;
  WAIT:
    @%p1 bra WAIT2;
    barrier.cluster.arrive;
    barrier.cluster.wait;
  WAIT2:
    barrier.cluster.arrive;
    barrier.cluster.wait;)"));
  CHECK(alone == "no fault");  // who has exited is not waited for
}
