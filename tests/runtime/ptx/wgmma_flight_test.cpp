// wgmma in flight: registers and memory that are touched too early, and the repaired twins.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/wgmma_rules.h"
#include "tests/support/catch.h"

using namespace lathe::tests;
using namespace lathe::tests::wgmma;

TEST_CASE("accumulators must not be touched before the wait") {
  const std::string issue = fmt::format("{}{}{}", kFence, kProduct, kCommit);
  const std::string read = error_of(issue, "  add.f32 r0, d1, d1;\n", wait(0));
  CHECK(contains(read, "illegal"));
  CHECK(contains(read, "reads a register that is in use by the wgmma at PTX line"));
  CHECK(contains(read, "as accumulator"));
  CHECK(contains(error_of(issue, "  mov.b32 r0, d3;\n", wait(0)), "reads a register"));
  CHECK(contains(error_of(issue, "  mov.b32 d0, 0;\n", wait(0)), "writes a register"));
  CHECK(contains(error_of(issue), "reads a register"));  // the kernel stores them
  check_sum(16, issue, wait(0), "  add.f32 r0, d1, d1;\n");
  // A wait that covers only closed groups, or not this one.
  CHECK(contains(error_of(kFence, kProduct, wait(0)), "reads a register"));
  CHECK(contains(error_of(issue, wait(1)), "reads a register"));
  check_sum(16, issue, kCommit, wait(1));
}

TEST_CASE("a wait may leave the youngest groups in flight") {
  const std::string_view other =
      "  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {e0, e1, e2, e3}, l0, l1, 0, 1, 1, 0, 0;\n";
  const std::string issue =
      fmt::format("  .reg .f32 e<4>, sum;\n{}{}{}{}{}", kFence, kProduct, kCommit, other, kCommit);
  const std::string_view read_first = "  add.f32 sum, d0, d0;\n";
  const std::string_view read_second = "  add.f32 sum, e0, e0;\n";
  check_sum(16, issue, wait(1), read_first, wait(0), read_second);
  CHECK(contains(error_of(issue, wait(2), read_first, wait(0)), "reads a register"));
  CHECK(contains(error_of(issue, wait(1), read_second, wait(0)), "reads a register"));
}

TEST_CASE("what is in flight is checked whatever else is not") {
  const std::string body = fmt::format("{}{}{}", kFence, kProduct, kCommit);
  CHECK(contains(run(body, {.checks = {.definedness = false, .races = false}}).error, "reads a register"));
}

TEST_CASE("registers of A must not be written before the wait, but may be read") {
  const std::string issue = fmt::format("{}{}{}", kFence, kFromRegisters, kCommit);
  const std::string written = error_of(issue, "  add.u32 a2, a2, 1;\n", wait(0));
  CHECK(contains(written, "writes a register that is in use by the wgmma at PTX line"));
  CHECK(contains(written, "as part of A"));
  check_sum(16, issue, "  add.u32 r0, a2, 1;\n", wait(0), "  add.u32 a2, a2, 1;\n");
}

TEST_CASE("products of one shape may follow each other in the same registers, others may not") {
  check_sum(48, kFence, kProduct, kProduct, kCommit, kProduct, kCommit, wait(0));
  check_sum(32, kFence, kProduct, kFromRegisters, kCommit, wait(0));
  const std::string_view moved_on =
      "  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {d1, d2, d3, d0}, l0, l1, p, 1, 1, 0, 0;\n";
  CHECK(contains(error_of(kFence, kProduct, moved_on, kCommit, wait(0)),
                 "not of the same shape and registers"));
  const std::string_view other_shape =
      "  wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {d0, d1, d2, d3}, l0, l1, p, 1, 1;\n";
  CHECK(contains(error_of(kFence, kProduct, other_shape, kCommit, wait(0)), "not of the same shape"));
  // What a product computes cannot be the A of another that does not wait for it.
  const std::string_view as_a =
      "  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {a0, a1, a2, a3}, {d0, d1, d2, d3}, l1, p, 1, "
      "1, 0;\n";
  CHECK(contains(error_of(kFence, kProduct, as_a, kCommit, wait(0)), "reads a register that is in use"));
  CHECK(contains(error_of(kFence, kFromRegisters, as_a, kCommit, wait(0)), "in use"));
  CHECK(contains(
      error_of(kFence, kFromRegisters,
               "  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {a0, a1, a2, a3}, l0, l1, p, 1, "
               "1, 0, 0;\n",
               kCommit, wait(0)),
      "writes a register that is in use"));
}

TEST_CASE("registers that were written need a fence") {
  const std::string_view no_fence = "there was no wgmma.fence before the first wgmma of the warp";
  CHECK(contains(error_of(kProduct, kCommit, wait(0)), no_fence));
  const std::string once = fmt::format("{}{}{}{}", kFence, kProduct, kCommit, wait(0));
  const std::string_view halve = "  mul.f32 d2, d2, 0f3F800000;\n";
  const std::string error = error_of(once, halve, kProduct, kCommit, wait(0));
  CHECK(contains(error, "one of its registers was written at PTX line"));
  CHECK(contains(error, "there was no wgmma.fence since"));
  check_sum(32, once, halve, kFence, kProduct, kCommit, wait(0));
  check_sum(32, once, kProduct, kCommit, wait(0));
  // Registers of A.
  const std::string_view write_a = "  or.b32 a1, a1, a1;\n";
  CHECK(contains(error_of(kFence, write_a, kFromRegisters, kCommit, wait(0)), "no wgmma.fence since"));
  check_sum(16, write_a, kFence, kFromRegisters, kCommit, wait(0));
}

// NVRTC puts the zeros of `float d[4] = {}` between the fence and the product.
TEST_CASE("copies behind the fence are excused, but not without a fence") {
  const std::string_view clear = "  mov.b32 d0, 0;\n  mov.b32 d1, 0;\n  mov.b32 d2, 0;\n  mov.b32 d3, 0;\n";
  const std::string product = fmt::format("{}{}{}", kProduct, kCommit, wait(0));
  check_sum(16, kFence, clear, product);
  check_sum(32, kFence, clear, kProduct, product);
  check_sum(16, kFence, product, kFence, clear, product);
  check_sum(16, kFence, product, clear, kFence, product);
  CHECK(contains(error_of(kFence, product, clear, product), "no wgmma.fence since"));
}

TEST_CASE("a warp must not end with products that it has not waited for") {
  const std::string other = fmt::format("{}{}", kFence, kProduct);
  const std::string leave = "  ret;\n";
  CHECK(
      contains(error_of(other, leave), "the warp ends without having waited for 1 of its wgmma operations"));
  CHECK(contains(error_of(other, kProduct, kCommit, leave), "waited for 2 of its wgmma operations"));
  CHECK(error_of(other, kCommit, wait(0), leave) == "no fault");
  CHECK(error_of(kFence, kCommit, kCommit, leave) == "no fault");
}

TEST_CASE("a tile that is overwritten before the wait gives another result") {
  // The same warp writes it: nothing races, but the product sees what is there at the wait.
  const std::string overwrite = fmt::format(
      "  mov.u32 r4, tile;\n  mad.lo.u32 r4, thread, 16, r4;\n  mov.u32 r0, 0;\n"
      "  st.shared.v4.b32 [r4], {{r0, r0, r0, r0}};\n");
  const std::string issue = fmt::format("{}{}{}", kFence, kProduct, kCommit);
  const std::string early = issue + overwrite + wait(0);
  const Run wrong = run(early, {.checks = {.definedness = true, .races = false}});
  CHECK(wrong.error == "no fault");
  CHECK(wrong.d != std::vector<float>(4 * kThreads, 16));
  CHECK(contains(run(early).error, "data race"));
  check_sum(16, issue, wait(0), kBarrier, overwrite);
  // Without a barrier another warp may still be reading.
  const std::string overwrite_b = fmt::format(
      "  setp.lt.u32 q, thread, 32;\n  mov.u32 r4, tile;\n  mad.lo.u32 r4, thread, 4, r4;\n"
      "  @q st.shared.b32 [r4+{}], r4;\n",
      kBytesOfA);
  for (const bool is_random : {false, true}) {
    CHECK(contains(run(issue + wait(0) + overwrite_b, {.is_random = is_random}).error, "data race"));
    CHECK(run(issue + wait(0) + std::string(kBarrier) + overwrite_b, {.is_random = is_random}).error ==
          "no fault");
  }
}

TEST_CASE("a tile that others write needs a barrier, and a fence between the proxies") {
  const auto error = [](std::string_view fence, std::string_view barrier) {
    return error_of("  mov.u32 r4, tile;\n  mad.lo.u32 r4, thread, 16, r4;\n  mov.u32 r0, 0x3f803f80;\n",
                    "  st.shared.v4.b32 [r4], {r0, r0, r0, r0};\n", fence, barrier, kFence, kProduct, kCommit,
                    wait(0));
  };
  const std::string_view fence = "  fence.proxy.async.shared::cta;\n";
  CHECK(error(fence, kBarrier) == "no fault");
  CHECK(contains(error("", kBarrier), "no fence.proxy.async"));
  CHECK(contains(error(fence, ""), "data race"));
}
