// What the asynchronous proxy reads must be fenced from what was written through the generic one.
#include "runtime/ptx/async_proxy.h"

#include "tests/runtime/ptx/async_kernel.h"
#include "tests/runtime/ptx/sample_tensor.h"

using namespace lathe::tests;

namespace {

// Warps 0 and 1 write a word for each lane; then thread 0 stores all 256 bytes.
const std::string kWrite = "  mad.lo.u32 %r20, %thread, 4, %buffer;\n  st.shared.u32 [%r20], %thread;\n";
const std::string kFence = "  fence.proxy.async.shared::cta;\n";
const std::string kBarrier = "  bar.sync 0;\n";
const std::string kStore = R"(
  @!%leader ret;
  cp.async.bulk.global.shared::cta.bulk_group [%to], [buffer], 256;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
)";
const AsyncRun kTwoWarps{.threads = 64};

}  // namespace

TEST_CASE("either the warp that writes or the one that issues fences, after the write") {
  expect_ok(kWrite + kFence + kBarrier + kStore, kTwoWarps);
  expect_ok(kWrite + kBarrier + kFence + kStore, kTwoWarps);
  expect_ok(kWrite + kBarrier + "  @%leader fence.proxy.async;\n" + kStore, kTwoWarps);
  expect_ok(kWrite + kBarrier + "  fence.proxy.async.shared::cluster;\n" + kStore, kTwoWarps);
}

TEST_CASE("a missing fence is reported with both lines") {
  expect_error(kWrite + kBarrier + kStore,
               "data race: reads 256 bytes of shared memory, 0 bytes from its beginning, through the "
               "asynchronous proxy, "
               "some of which warp 0 wrote at PTX line 29, `st.shared.u32 [%r20], %thread`: no "
               "fence.proxy.async between the "
               "two",
               kTwoWarps);
  expect_error(kWrite + kBarrier + kStore, "PTX line 33", kTwoWarps);
  expect_ok(kWrite + kBarrier + kStore, {.threads = 64, .checks = {.definedness = true, .races = false}});
}

TEST_CASE("fences that do not help") {
  const std::string says = "no fence.proxy.async between the two";
  expect_error(kFence + kWrite + kBarrier + kStore, says, kTwoWarps);  // before the write
  expect_error(kWrite + "  @%first fence.proxy.async;\n" + kBarrier +
                   "  @%first bra ISSUE;\n  ret;\nISSUE:\n" + "  st.shared.u32 [%r20], 5;\n" + kStore,
               says, kTwoWarps);  // written again
  // Of the other warp only, and then of neither the writer's nor the issuer's.
  expect_error(kWrite + "  @!%first fence.proxy.async;\n" + kBarrier + kStore, "some of which warp 0 wrote",
               kTwoWarps);
  expect_error(kWrite + "  fence.proxy.async.global;\n" + kBarrier + kStore, says, kTwoWarps);
  expect_error(kWrite + "  fence.acq_rel.cta;\n  fence.proxy.alias;\n" + kBarrier + kStore, says, kTwoWarps);
  expect_error(kWrite + "  fence.mbarrier_init.release.cluster;\n" + kBarrier + kStore, says, kTwoWarps);
}

TEST_CASE("all ways to write through the generic proxy count") {
  const std::string says = "no fence.proxy.async between the two";
  const std::string zeros =
      "  mov.u32 %r1, 0;\n  mad.lo.u32 %r20, %thread, 4, %buffer;\n  st.shared.u32 [%r20], %r1;\n";
  const auto check = [&](const std::string& write) {
    expect_error(zeros + kFence + kBarrier + write + kBarrier + kStore, says, {.threads = 64, .seeds = 1});
    expect_ok(zeros + kFence + kBarrier + write + kFence + kBarrier + kStore, {.threads = 64, .seeds = 1});
  };
  check("  red.shared.add.u32 [%r20], 1;\n");
  check("  atom.shared.exch.b32 %r2, [%r20], 1;\n");
  check(
      "  mad.wide.u32 %l0, %thread, 4, %from;\n  cp.async.ca.shared.global [%r20], [%l0], 4;\n  "
      "cp.async.wait_all;\n");
  check("  @%leader st.shared.v4.b32 [%r20], {%r1, %r1, %r1, %r1};\n");
  check("  setp.eq.u32 %p0, %thread, 63;\n  @%p0 st.shared.u8 [%r20+3], 1;\n");
}

TEST_CASE("a fence between the issue of a cp.async and its end does not count") {
  const std::string copy =
      "  mad.lo.u32 %r20, %thread, 4, %buffer;\n  mad.wide.u32 %l0, %thread, 4, %from;\n"
      "  cp.async.ca.shared.global [%r20], [%l0], 4;\n";
  const std::string wait = "  cp.async.wait_all;\n";
  expect_ok(copy + wait + kFence + kBarrier + kStore, kTwoWarps);
  expect_error(copy + kFence + wait + kBarrier + kStore,
               "wrote at PTX line 30, `cp.async.ca.shared.global [%r20], [%l0], 4`: no fence.proxy.async",
               kTwoWarps);
}

TEST_CASE("what the asynchronous proxy wrote it may read") {
  // Loaded over what was written before, and stored again.
  const std::string body = init_bars({1}) + kWrite + kBarrier + R"(
  @!%leader ret;
  mbarrier.arrive.expect_tx.shared.b64 _, [bars], 256;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%from], 256, [bars];
)" + wait_for("bars", "0") +
                           kStore;
  for_each_async_run(body, kTwoWarps, [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    for (unsigned i = 0; i < 64; ++i) CHECK(machine.result[i] == 1000 + i);
  });
}

TEST_CASE("tensor stores, reductions and copies between blocks need the fence, too") {
  SampleTensor tensor(lathe::f32, {32, 2}, {32, 2}, Swizzle::none);
  for (const bool is_reduction : {false, true}) {
    const std::string operation =
        is_reduction
            ? "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group [%map, {0, 0}], [buffer];"
            : "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%map, {0, 0}], [buffer];";
    std::string body = tensor_store_body(tensor, operation);
    AsyncMachine machine({}, 0, 64);
    const auto map = tensor.upload_to(machine);
    CHECK(machine.run_with(async_kernel(body), map) == "");
    body.erase(body.find("fence.proxy.async.shared::cta;"), 30);
    CHECK(machine.run_with(async_kernel(body), map).find("no fence.proxy.async between") !=
          std::string::npos);
  }
  const auto send = [](const std::string& fence) {
    return init_bars({1}) + "  mad.lo.u32 %r20, %thread, 4, %buffer;\n  st.shared.u32 [%r20], %thread;\n" +
           fence +
           R"(
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  xor.b32 %r0, %rank, 1;
  add.u32 %r1, %buffer, 1024;
  mapa.shared::cluster.u32 %r1, %r1, %r0;
  mapa.shared::cluster.u32 %r2, %bars, %r0;
  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], 128;
  @%leader cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r1], [buffer], 128, [%r2];
)" + wait_for("bars", "0") +
           "  barrier.cluster.arrive.aligned;\n  barrier.cluster.wait.aligned;\n";
  };
  expect_ok(send(kFence), {.blocks = 2, .cluster = 2});
  expect_error(send(""), "no fence.proxy.async between the two", {.blocks = 2, .cluster = 2});
}
