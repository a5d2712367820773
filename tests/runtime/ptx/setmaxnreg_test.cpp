// setmaxnreg: how many registers a kernel begins with, who can take them from whom, and what is refused.
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "runtime/ptx/register_budget.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;

namespace {

using Change = RegisterBudget::Change;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The first warpgroup does one thing, the others another. `thread` is the thread's number, `group` that of
/// its warpgroup.
std::string kernel(std::string_view directives, std::string_view first, std::string_view others,
                   std::string_view target = "sm_90a") {
  return fmt::format(R"(.version 9.0
.target {}
.address_size 64
.visible .entry kernel() {}
{{
  .reg .b32 thread, group;
  .reg .pred p, q;
  mov.u32 thread, %tid.x;
  shr.u32 group, thread, 7;
  setp.ne.u32 p, group, 0;
  @p bra others;
{}
  ret;
others:
{}
  ret;
}}
)",
                     target, directives, first, others);
}

std::string change(std::string_view action, unsigned registers) {
  return fmt::format("  setmaxnreg.{}.sync.aligned.u32 {};\n", action, registers);
}

std::string error_of(const std::string& text, unsigned threads = 384) {
  PtxMachine machine;
  return machine.run_fault(threads, text);
}

constexpr std::string_view kLimits = ".maxntid 384 .minnctapersm 1";
constexpr std::string_view kFine = "no fault";

}  // namespace

// What ptxas 13.0 says for such kernels.
TEST_CASE("a kernel begins with the registers that its limits allow") {
  CHECK(registers_at_entry({.max_threads = 384, .min_blocks = 1}, 240) == 168);
  CHECK(registers_at_entry({.max_threads = 512, .min_blocks = 1}, 240) == 128);
  CHECK(registers_at_entry({.max_threads = 640, .min_blocks = 1}, 240) == 96);
  CHECK(registers_at_entry({.max_threads = 384, .min_blocks = 2}, 240) == 80);
  CHECK(registers_at_entry({.max_threads = 256, .min_blocks = 1}, 240) == 240);
  CHECK(registers_at_entry({.max_threads = 256, .min_blocks = 1}, 256) == 256);
  CHECK(registers_at_entry({.max_threads = 128, .min_blocks = 1}, 0) == 256);
  CHECK(registers_at_entry({.max_threads = 384, .min_blocks = 1}, 160) == 160);
  CHECK(registers_at_entry({.max_registers = 128, .max_threads = 384}, 240) == 128);
  CHECK(registers_at_entry({.max_registers = 125}, 240) == 128);
  CHECK(registers_at_entry({.max_registers = 200, .max_threads = 384}, 160) == 160);
  CHECK(registers_at_entry({.max_threads = 384}, 240) == 0);
  CHECK(registers_at_entry({}, 240) == 0);
}

TEST_CASE("registers go from those that release them to those that wait") {
  RegisterBudget budget(168, 3);
  CHECK(budget.increase(1, 240) == Change::must_wait);
  CHECK(budget.registers_of(1) == 168);
  CHECK(budget.decrease(0, 24) == Change::done);
  CHECK(budget.increase(1, 240) == Change::done);
  CHECK(budget.increase(2, 248) == Change::must_wait);
  CHECK(budget.increase(2, 240) == Change::done);
  CHECK(budget.registers_of(0) == 24);
  CHECK(budget.registers_of(2) == 240);
}

TEST_CASE("the direction of a change must be right") {
  RegisterBudget budget(168, 1);
  CHECK(budget.decrease(0, 176) == Change::wrong_direction);
  CHECK(budget.increase(0, 160) == Change::wrong_direction);
  CHECK(budget.decrease(0, 168) == Change::done);
  CHECK(budget.increase(0, 168) == Change::done);
}

TEST_CASE("without a known number only later changes are checked") {
  RegisterBudget budget(0, 1);
  CHECK(budget.increase(0, 240) == Change::done);
  CHECK(budget.increase(0, 232) == Change::wrong_direction);
  CHECK(budget.decrease(0, 24) == Change::done);
  CHECK(budget.decrease(0, 32) == Change::wrong_direction);
}

TEST_CASE("a producer's registers go to two consumers") {
  CHECK(error_of(kernel(kLimits, change("dec", 24), change("inc", 240))) == kFine);
  CHECK(error_of(kernel(".maxnreg 168", change("dec", 24), change("inc", 240))) == kFine);
  // Whoever comes first: here the consumers, which wait.
  const std::string late = fmt::format("  nanosleep.u32 100;\n{}", change("dec", 40));
  CHECK(error_of(kernel(kLimits, late, change("inc", 232))) == kFine);
  CHECK(error_of(kernel(".maxntid 512 .minnctapersm 1", change("dec", 32), change("inc", 160)), 512) ==
        kFine);
}

TEST_CASE("waiting for registers that nobody releases is reported") {
  const std::string error = error_of(kernel(kLimits, change("dec", 32), change("inc", 240)));
  CHECK(contains(error, "deadlock"));
  CHECK(contains(error, "setmaxnreg.inc.sync.aligned.u32 240"));
  CHECK(contains(error_of(kernel(kLimits, "", change("inc", 240))), "deadlock"));
}

TEST_CASE("a change in the wrong direction is reported") {
  CHECK(contains(error_of(kernel(kLimits, change("dec", 176), change("inc", 240))),
                 "decreases the registers of a thread to 176, but it has 168"));
  const std::string twice = change("dec", 40) + change("inc", 24);
  CHECK(contains(error_of(kernel(kLimits, twice, change("inc", 232))),
                 "increases the registers of a thread to 24, but it has 40"));
}

TEST_CASE("a kernel whose registers are not known may change them once to anything") {
  CHECK(error_of(kernel("", change("dec", 32), change("inc", 240))) == kFine);
  CHECK(error_of(kernel(".maxntid 384", change("dec", 32), change("inc", 240))) == kFine);
  CHECK(contains(error_of(kernel("", change("dec", 32) + change("dec", 40), "")), "decreases"));
}

TEST_CASE("all warps of a warpgroup must execute the same setmaxnreg") {
  const std::string one_warp =
      fmt::format("  setp.lt.u32 q, thread, 32;\n  @q bra skip;\n{}skip:\n", change("dec", 24));
  CHECK(contains(error_of(kernel("", one_warp, "")), "warpgroup"));
  const std::string two_kinds =
      fmt::format("  setp.lt.u32 q, thread, 32;\n  @q bra other;\n{}  ret;\nother:\n{}", change("dec", 24),
                  change("dec", 32));
  CHECK(contains(error_of(kernel("", two_kinds, "")), "another warp of the warpgroup executed"));
  const std::string one_lane = fmt::format("  setp.ne.u32 q, thread, 5;\n  @q {}", change("dec", 24));
  CHECK(contains(error_of(kernel("", one_lane, "")), "kept out by the guard"));
  CHECK(contains(error_of(kernel("", "", change("dec", 24)), 224), "has only 96 of its 128 threads"));
}

TEST_CASE("forms of setmaxnreg that are not there are refused") {
  for (const unsigned registers : {0u, 16u, 20u, 100u, 260u, 264u})
    CHECK(contains(error_of(kernel("", change("inc", registers), "")),
                   "must be a multiple of 8 from 24 to 256"));
  CHECK(
      contains(error_of(kernel("", "  setmaxnreg.inc.sync.aligned.u32 thread;\n", "")), "integer constant"));
  CHECK(contains(error_of(kernel("", "  setmaxnreg.sync.aligned.u32 24;\n", "")), ".inc or .dec"));
  CHECK(contains(error_of(kernel("", "  setmaxnreg.inc.u32 24;\n", "")), ".sync.aligned"));
  CHECK(contains(error_of(kernel("", change("inc", 24), "", "sm_90")), "needs a .target like sm_90a"));
  CHECK(error_of(kernel("", change("inc", 24), "", "sm_120a")) == kFine);
}
