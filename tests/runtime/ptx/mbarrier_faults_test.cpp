// mbarrier: mistakes that are reported, deadlocks, and forms that there are not.
#include "tests/runtime/ptx/async_kernel.h"

using namespace lathe::tests;

TEST_CASE("mistakes with mbarriers are named") {
  const auto fails = [](const std::string& instructions, const std::string& says) {
    expect_error("  @!%leader ret;\n" + instructions, "illegal instruction: " + says, {.seeds = 0});
  };
  const std::string init = "  mbarrier.init.shared.b64 [bars], 1;\n";
  fails("  mbarrier.arrive.shared.b64 %l0, [bars];",
        "it was never initialised, or has been invalidated: the mbarrier at offset 32768");
  fails("  mbarrier.try_wait.parity.shared.b64 %p0, [bars], 0;", "it was never initialised");
  fails("  mbarrier.expect_tx.shared.b64 [bars+8], 0;", "it was never initialised");
  fails("  mbarrier.inval.shared.b64 [bars+8];", "it was never initialised");
  fails(init + "  mbarrier.inval.shared.b64 [bars];\n  mbarrier.arrive.shared.b64 %l0, [bars];",
        "it was never");
  fails(init + init, "it is initialised already, and was not invalidated: the mbarrier at offset 32768");
  fails(init + "  st.shared.u32 [bars+4], 0;\n  mbarrier.arrive.shared.b64 %l0, [bars];",
        "something was stored over it");
  fails("  mbarrier.init.shared.b64 [bars], 0;", "the count is 0, it must be 1 to 2^20 - 1");
  fails("  mbarrier.init.shared.b64 [bars], 1048576;", "the count is 1048576");
  fails(init + "  mbarrier.arrive.shared.b64 %l0, [bars], 2;",
        "there are more arrivals than the phase expects: the mbarrier at offset 32768, whose phase 0 needs 1 "
        "of 1");
  fails(init + "  mbarrier.arrive.shared.b64 %l0, [bars], 0;", "an arrival counts for 1 to 2^20 - 1");
  fails(init + "  mbarrier.arrive.noComplete.shared.b64 %l0, [bars], 1;",
        "an arrival with .noComplete completes");
  fails(init + "  mbarrier.expect_tx.shared.b64 [bars], 1048576;", "the byte count is beyond 2^20 - 1");
  fails(init + "  mbarrier.expect_tx.shared.b64 [bars], 1048575;\n  mbarrier.expect_tx.shared.b64 [bars], 1;",
        "the bytes that the phase expects are beyond");
  fails(
      init +
          "  mbarrier.complete_tx.shared.b64 [bars], 1048575;\n  mbarrier.complete_tx.shared.b64 [bars], 1;",
      "the phase got over 2^20 - 1 bytes more than it expects");
  fails(
      init + "  mbarrier.arrive_drop.shared.b64 %l0, [bars];\n  mbarrier.arrive_drop.shared.b64 %l0, [bars];",
      "more arrivals are dropped than the mbarrier expects");
  fails(init + "  mbarrier.try_wait.parity.shared.b64 %p0, [bars], 2;", "the parity is 2");
  fails(init +
            "  mov.u64 %l0, 0;\n  mbarrier.arrive.shared.b64 _, [bars];\n  mbarrier.arrive.shared.b64 _, "
            "[bars];\n  mbarrier.test_wait.shared.b64 %p0, [bars], %l0;",
        "the state is of phase 0, neither the present one nor the last");
  fails("  mbarrier.init.b64 [%to], 1;\n  mbarrier.arrive.b64 _, [%to];", "an mbarrier in global memory");
  expect_error("  mbarrier.init.shared.b64 [bars+4], 1;", "misaligned access", {.seeds = 0});
  expect_error("  mbarrier.init.shared.b64 [bars], %r9;", "it is the count of an mbarrier", {.seeds = 0});
  expect_error(init_bars({32}) + "  mbarrier.arrive.shared.b64 _, [bars], %r9;",
               "it is the count of an arrival", {.seeds = 0});
  expect_error(init_bars({32}) + "  mbarrier.test_wait.shared.b64 %p0, [bars], %l9;",
               "it says which phase of an mbarrier is waited for", {.seeds = 0});
}

TEST_CASE("an mbarrier that is used before all know of it is a race") {
  const std::string arrive = "  @%elected mbarrier.arrive.shared.b64 _, [bars];\n";
  const std::string init = "  @%leader mbarrier.init.shared.b64 [bars], 2;\n";
  expect_ok(init + "  bar.sync 0;\n" + arrive, {.threads = 64});
  expect_any_error(init + arrive, {"data race", "it was never initialised"}, {.threads = 64});
}

TEST_CASE("waiting for an mbarrier that nobody completes is a deadlock") {
  const std::string body =
      init_bars({2}) + "  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], 48;\n";
  const std::string report =
      "deadlock: nothing happens any more while these wait: warp 0 of block (0, 0, 0), lanes 0xffffffff, at "
      "PTX line "
      "33, `mbarrier.try_wait.parity.shared::cta.b64 done, [bars], 0`, for the phase of parity 0 of the "
      "mbarrier at "
      "offset 32768, whose phase 0 needs 1 of 2 arrivals and 48 bytes more";
  expect_error(body + wait_for("bars", "0"), report);
  // Others are blocked.
  expect_error(
      body + "  @!%first bra MEET;\n" + wait_for("bars", "0") + "MEET: bar.sync 0;\n",
      "the mbarrier at offset 32768, whose phase 0 needs 1 of 2 arrivals and 48 bytes more; warp 1 lanes",
      {.threads = 64});
  // They sleep between their tests, by the state.
  expect_error(body + R"(
  @!%leader ret;
  mbarrier.expect_tx.shared.b64 [bars], 0;
  mov.u64 %l0, 0;
AGAIN:
  mbarrier.test_wait.shared.b64 %p0, [bars], %l0;
  nanosleep.u32 100;
  @!%p0 bra AGAIN;
)",
               "for phase 0 of the mbarrier at offset 32768");
}

TEST_CASE("forms of mbarrier that there are not") {
  const auto refused = [](const std::string& instruction, const std::string& says) {
    expect_error("  " + instruction, says, {.seeds = 0});
  };
  refused("mbarrier.arrive.shared::cluster.b64 %l0, [%r0];", "with .shared::cluster there is no state");
  refused("mbarrier.arrive.noComplete.shared.b64 %l0, [%r0];", "the count is missing");
  refused("mbarrier.arrive.expect_tx.shared.b64 %l0, [%r0];", "the count is missing");
  refused("mbarrier.try_wait.parity.shared::cluster.b64 %p0, [%r0], 1;", "another block's mbarrier");
  refused("mbarrier.test_wait.parity.shared.b64 %p0, [%r0], 1, 5;", "test_wait has no time limit");
  refused("mbarrier.init.global.b64 [%l0], 1;", "an mbarrier lies in shared memory");
  refused("mbarrier.wait.shared.b64 [%r0];", "is not known");
  refused("mbarrier.arrive.acquire.cta.shared.b64 %l0, [%r0];", "the modifier .acquire is not known here");
}
