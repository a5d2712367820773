// cp.async.bulk and its kin: operands that are wrong, and forms that are not run.
#include "tests/runtime/ptx/async_kernel.h"

using namespace lathe::tests;

namespace {

const std::string kInit = init_bars({1});

}  // namespace

TEST_CASE("addresses and sizes of bulk copies are checked when they are issued") {
  const auto load = [](const std::string& operands) {
    return kInit +
           "  mov.u32 %r1, 8;\n  mov.u32 %r2, 0;\n  @%leader cp.async.bulk.shared::cluster.global."
           "mbarrier::complete_tx::bytes " +
           operands + ";\n";
  };
  const AsyncRun once{.seeds = 0};
  expect_error(load("[buffer+8], [%from], 16, [bars]"), "misaligned access: writes 16 bytes of shared", once);
  expect_error(load("[buffer], [%from+4], 16, [bars]"), "misaligned access: reads 16 bytes of global", once);
  expect_error(load("[buffer], [%from], %r1, [bars]"), "the size is 8, it must be a multiple of 16 above 0",
               once);
  expect_error(load("[buffer], [%from], %r2, [bars]"), "the size is 0", once);
  expect_error(load("[buffer], [%from], %r9, [bars]"), "it is the size of a bulk operation", once);
  expect_error(load("[buffer+33000], [%from], 16, [bars]"), "misaligned access", once);
  expect_error(load("[buffer+33024], [%from], 16, [bars]"), "access out of bounds: writes 16 bytes of", once);
  expect_error(load("[buffer], [%from+65536], 16, [bars]"), "access out of bounds: reads 16 bytes of global",
               once);
  expect_error(load("[buffer], [%from+65520], 32, [bars]"), "which reaches beyond the end of the allocation",
               once);
  expect_error(load("[buffer], [%from], 16, [bars+8]"), "it was never initialised", once);
  expect_error(load("[%r9], [%from], 16, [bars]"), "the address depends on it", once);
  expect_error(std::string("  @%leader cp.async.bulk.global.shared::cta.bulk_group [%to], [buffer], 16;\n") +
                   "  cp.async.bulk.wait_group 0;\n",
               "reads 16 bytes of shared memory that nobody wrote", once);
  expect_error("  @%leader cp.async.bulk.prefetch.L2.global [%from+65536], 16;\n", "access out of bounds",
               once);
}

TEST_CASE("forms of bulk operations that are not run are refused") {
  const auto refused = [](const std::string& instruction, const std::string& says) {
    expect_error("  " + instruction, says, {.seeds = 0});
  };
  refused("cp.async.bulk.global.shared::cta.bulk_group.cp_mask [%to], [buffer], 16, %h0;",
          "bulk copies of some bytes only are not run");
  refused(
      "cp.async.bulk.shared::cta.shared::cta.mbarrier::complete_tx::bytes [buffer], [buffer], 16, [bars];",
      "bulk operations go from .global to");
  refused("cp.async.bulk.shared::cluster.global [buffer], [%from], 16, [bars];",
          ".mbarrier::complete_tx::bytes is missing");
  refused("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%from], 16;",
          "operand 4 is missing");
  refused(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%from], 16, [bars], %h0;",
      "it has 4 operands, not 5");
  refused(
      "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes.multicast::cluster [buffer], [%from], "
      "16, "
      "[bars], 1;",
      "a multicast goes from .global to .shared::cluster");
  refused("cp.async.bulk.global.shared::cta.bulk_group [buffer], [buffer], 16;",
          "an address is in another space than the instruction says");
  refused("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f16 [%to], [buffer], 16;", "are .noftz");
  refused("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.noftz.f32 [%to], [buffer], 16;",
          "are .noftz");
  refused("cp.reduce.async.bulk.global.shared::cta.bulk_group.max.f32 [%to], [buffer], 16;",
          "no such reduction");
  refused(
      "cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.f32 [buffer], "
      "[buffer], "
      "16, [bars];",
      "no such reduction");
  refused("cp.async.bulk.wait_group -1;", "is negative");
  refused(
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b64 [buffer], {%l0, %l0, %l0, %l0}, "
      "[bars];",
      "has at most 16 bytes");
  refused("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b16 [buffer], %h0, [bars];",
          "values have 32 or 64 bits");
  refused(
      "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.min.u64 [buffer], %l0, [bars];",
      "no such reduction");
}
