// cp.async.bulk: when its bytes are there, and mistakes that are reported.
#include <algorithm>
#include <bit>
#include <cstdint>

#include "tests/runtime/ptx/async_kernel.h"

using namespace lathe::tests;

namespace {

const std::string kLoad =
    "  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], 512;\n"
    "  @%leader cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%from], 512, "
    "[bars];\n";
const std::string kWait = wait_for("bars", "0");
/// Each lane gives out the 16 bytes that it has of `buffer`.
const std::string kGiveOut =
    "  mad.lo.u32 %r20, %lane, 16, %buffer;\n  mad.wide.u32 %l10, %lane, 16, %to;\n"
    "  ld.shared.v4.b32 {%r21, %r22, %r23, %r24}, [%r20];\n"
    "  st.global.v4.b32 [%l10], {%r21, %r22, %r23, %r24};\n";
/// Each lane fills its 16 bytes of `buffer` with 4 words from 100 + 4 lane on.
const std::string kFill =
    "  mad.lo.u32 %r20, %lane, 16, %buffer;\n  mad.lo.u32 %r21, %lane, 4, 100;\n  add.u32 %r22, %r21, 1;\n"
    "  add.u32 %r23, %r21, 2;\n  add.u32 %r24, %r21, 3;\n"
    "  st.shared.v4.b32 [%r20], {%r21, %r22, %r23, %r24};\n";
const std::string kFence = "  fence.proxy.async.shared::cta;\n";
const std::string kBarrier = "  bar.sync 0;\n";
const std::string kStore =
    "  @%leader cp.async.bulk.global.shared::cta.bulk_group [%to], [buffer], 512;\n"
    "  @%leader cp.async.bulk.commit_group;\n";
const std::string kInit = init_bars({1});

std::string wait_group(std::string_view kind, unsigned kept = 0) {
  return fmt::format("  cp.async.bulk.wait_group{} {};\n", kind, kept);
}

void expect_result(const std::string& body, const std::vector<std::uint32_t>& expected,
                   const AsyncRun& run = {}) {
  for_each_async_run(body, run, [&](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    CHECK(std::vector(machine.result, machine.result + expected.size()) == expected);
  });
}

std::vector<std::uint32_t> counted(std::uint32_t first, std::size_t count) {
  std::vector<std::uint32_t> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::uint32_t>(first + i);
  return values;
}

}  // namespace

TEST_CASE("a bulk load is there once its mbarrier says so") {
  expect_result(kInit + kLoad + kWait + kGiveOut, counted(1000, 128));
  const std::string early = kInit + kLoad + kGiveOut + kWait;
  expect_error(early, "the asynchronous copy issued at PTX line 32 has not been waited for");
}

TEST_CASE("forms of bulk loads") {
  const auto load = [](const std::string& instruction) {
    return kInit + "  mov.u32 %r0, 512;\n  mov.u64 %l0, 0;\n  mov.u16 %h0, 1;\n" +
           "  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], 512;\n  @%leader " + instruction +
           "\n" + kWait + kGiveOut;
  };
  const auto expected = counted(1000, 128);
  expect_result(
      load("cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%buffer], [%from], %r0, [%bars];"),
      expected, {.seeds = 1});
  expect_result(
      load("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%buffer], "
           "[%from+0], 512, [bars+0], %l0;"),
      expected, {.seeds = 1});
  expect_result(
      load("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%buffer], "
           "[%from], 512, [bars], %h0;"),
      expected, {.seeds = 1});
  expect_result(load("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster."
                     "L2::cache_hint [%buffer], [%from], 512, [bars], 1, %l0;"),
                expected, {.seeds = 1});
  expect_ok("  @%leader cp.async.bulk.prefetch.L2.global [%from], 512;\n");
}

TEST_CASE("a load whose mbarrier waits for another phase is not done by luck") {
  // Two loads, but the bytes of one are expected.
  const std::string second =
      "  @%leader cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer+512], [%from], "
      "512, "
      "[bars];\n";
  const std::string read = "  ld.shared.u32 %r0, [buffer];\n  ld.shared.u32 %r0, [buffer+512];\n";
  expect_error(kInit + kLoad + second + kWait + read, "has not been waited for");
  expect_ok(kInit + "  @%leader mbarrier.expect_tx.shared.b64 [bars], 512;\n" + kLoad + second + kWait +
            read);
}

TEST_CASE("a load that nothing waits for is reported at the end") {
  expect_error(kInit + kLoad,
               "the block ends before the asynchronous operation is done, and nothing has waited for it");
  expect_ok(kInit + kLoad, {.checks = {.definedness = false, .races = true}});
}

TEST_CASE("two loads to the same place are a race") {
  expect_error(kInit + kLoad + "  @%leader mbarrier.expect_tx.shared.b64 [bars], 16;\n" +
                   "  @%leader cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                   "[buffer+496], [%from], 16, "
                   "[bars];\n" +
                   kWait,
               "has yet to write", {.seeds = 1});
}

TEST_CASE("undefined bytes of a source are passed on") {
  const std::string body = async_kernel(kInit + kLoad + kWait + "  ld.shared.u32 %r0, [buffer+256];\n");
  AsyncMachine machine({}, 0, 128);
  machine.source = machine.allocate<std::uint32_t>(128);
  machine.memory.define(machine.source, 260);
  CHECK(machine.run_with(body) == "");
  machine.source = machine.allocate<std::uint32_t>(128);
  machine.memory.define(machine.source, 259);
  CHECK(machine.run_with(body).find("reads 4 bytes of shared memory that nobody wrote") != std::string::npos);
}

TEST_CASE("a bulk store writes what was there when it was waited for") {
  const std::string body = kFill + kFence + kBarrier + kStore;
  expect_result(body + wait_group(""), counted(100, 128));
  expect_result(body + wait_group(".read"), counted(100, 128));  // it is done later
  expect_result(body + wait_group(".read") + kBarrier + "  st.shared.u32 [%r20], 0;\n", counted(100, 128));
  // The thread reads what it stored.
  const std::string reads_back = "  @%leader ld.global.u32 %r0, [%to];\n";
  expect_ok(body + wait_group("") + reads_back);
  expect_error(body + wait_group(".read") + reads_back, "has not been waited for");
}

TEST_CASE("bulk groups are waited for oldest first") {
  const std::string two =
      kFill + kFence + kBarrier + kStore +
      "  @%leader cp.async.bulk.global.shared::cta.bulk_group [%to+512], [buffer+256], 256;\n"
      "  @%leader cp.async.bulk.commit_group;\n";
  const std::string overwrite_first = "  @%leader st.shared.u32 [buffer], 0;\n";
  expect_result(two + wait_group("", 1) + "  @%leader ld.global.u32 %r0, [%to+508];\n" + wait_group("", 0),
                counted(100, 128));
  expect_error(two + wait_group("", 1) + "  @%leader ld.global.u32 %r0, [%to+512];\n" + wait_group("", 0),
               "has not been waited for");
  expect_ok(two + wait_group(".read", 1) + wait_group(".read"));
  expect_error(two + wait_group(".read", 1),
               "without having waited until the bulk operation issued at PTX line");
  expect_error(two + wait_group(".read", 2),
               "without having waited until the bulk operation issued at PTX line");
}

TEST_CASE("a bulk group that is never waited for is reported") {
  const std::string body = kFill + kFence + kBarrier + kStore;
  expect_error(
      body,
      "illegal instruction: the thread ends without having waited until the bulk operation issued "
      "at PTX line "
      "36, `@%leader cp.async.bulk.global.shared::cta.bulk_group [%to], [buffer], 512`, has read its source");
  expect_error(kFill + kFence + kBarrier +
                   "  @%leader cp.async.bulk.global.shared::cta.bulk_group [%to], [buffer], 512;\n" +
                   wait_group(""),
               "has read its source");  // not committed
  expect_ok(body, {.checks = {.definedness = false, .races = true}});
}

TEST_CASE("a source that is used again too early is a race") {
  // Warp 1 fills the buffer again.
  const auto body = [](const std::string& wait, const std::string& meet) {
    return "  @%first bra STORE;\n" + meet + "  @%elected st.shared.u32 [buffer], 0;\n  bra END;\nSTORE:\n" +
           kFill + kFence + "  bar.warp.sync 0xffffffff;\n" + kStore + wait + meet + wait_group("") +
           "END:\n";
  };
  expect_ok(body(wait_group(".read"), kBarrier), {.threads = 64});
  expect_error(body("", kBarrier), "data race", {.threads = 64});
  expect_error(body(wait_group(".read"), ""), "data race", {.threads = 64});
}

TEST_CASE("a multicast reaches the blocks of its mask at the same place") {
  // Rank 1 loads for ranks 1 and 3, rank 2 for 0 and 2; each block waits for its own mbarrier.
  const std::string body = kInit + R"(
  barrier.cluster.arrive.relaxed.aligned;
  barrier.cluster.wait.aligned;
  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], 512;
  mov.u16 %h0, 0;
  setp.eq.u32 %p0, %rank, 1;
  @%p0 mov.u16 %h0, 10;
  setp.eq.u32 %p1, %rank, 2;
  @%p1 mov.u16 %h0, 5;
  setp.ne.s16 %p2, %h0, 0;
  and.pred %p2, %p2, %leader;
  mad.wide.u32 %l0, %rank, 512, %from;
  @%p2 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [buffer], [%l0], 512, [bars], %h0;
)" + kWait + "  mad.wide.u32 %to, %block, 512, %to;\n" +
                           kGiveOut + "  barrier.cluster.arrive.aligned;\n  barrier.cluster.wait.aligned;\n";
  for_each_async_run(body, {.blocks = 8, .cluster = 4}, [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    for (unsigned block = 0; block < 8; ++block) {
      const unsigned from = block % 2 == 1 ? 1 : 2;
      for (unsigned i = 0; i < 128; ++i) CHECK(machine.result[block * 128 + i] == 1000 + from * 128 + i);
    }
  });
}

TEST_CASE("multicasts to blocks that are not there") {
  const auto body = [](unsigned mask) {
    return kInit + fmt::format(
                       "  @%leader cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes."
                       "multicast::cluster [buffer], [%from], 512, [bars], {};\n",
                       mask);
  };
  expect_error(body(2), "the multicast goes to the blocks of mask 0x2, the cluster has 1", {.seeds = 0});
  expect_error(body(0), "the multicast goes to the blocks of mask 0x0", {.seeds = 0});
}

TEST_CASE("bulk copies between blocks of a cluster") {
  // Each block sends its buffer to the next, which gives it out.
  const std::string body = kInit + kFill + kFence + R"(
  barrier.cluster.arrive.release.aligned;
  barrier.cluster.wait.acquire.aligned;
  add.u32 %r0, %rank, 1;
  and.b32 %r0, %r0, 3;
  add.u32 %r1, %buffer, 1024;
  mapa.shared::cluster.u32 %r1, %r1, %r0;
  mapa.shared::cluster.u32 %r2, %bars, %r0;
  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], 512;
  @%leader cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r1], [buffer], 512, [%r2];
)" + kWait + "  mad.wide.u32 %to, %block, 512, %to;\n  add.u32 %buffer, %buffer, 1024;\n" +
                           kGiveOut + "  barrier.cluster.arrive.aligned;\n  barrier.cluster.wait.aligned;\n";
  for_each_async_run(body, {.blocks = 4, .cluster = 4}, [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    for (unsigned i = 0; i < 4 * 128; ++i) CHECK(machine.result[i] == 100 + i % 128);
  });
  expect_error(
      kInit + "  mapa.shared::cluster.u32 %r2, %bars, 1;\n" + kFill + kFence +
          "  @%leader cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [buffer+1024], "
          "[buffer], 512, [%r2];\n",
      "the mbarrier is in another block than the destination", {.blocks = 2, .cluster = 2, .seeds = 0});
}
