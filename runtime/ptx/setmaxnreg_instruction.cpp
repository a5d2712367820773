#include "runtime/ptx/setmaxnreg_instruction.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/matrix_decoding.h"
#include "runtime/ptx/register_budget.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warpgroup.h"

namespace lathe::runtime::ptx {

namespace {

/// number: registers for each thread.
template <bool kIncreases>
void execute(Warp& warp, const Step& step) {
  if (!is_warpgroup_aligned(warp)) return;
  RegisterBudget& budget = warp.block().register_budget();
  const auto registers = static_cast<unsigned>(step.number);
  const unsigned present = budget.registers_of(warp.index());
  const auto change =
      kIncreases ? budget.increase(warp.index(), registers) : budget.decrease(warp.index(), registers);
  if (change == RegisterBudget::Change::must_wait) return warp.stall();
  if (change == RegisterBudget::Change::wrong_direction) {
    return warp.fault(FaultKind::illegal,
                      fmt::format("{} the registers of a thread to {}, but it has {}",
                                  kIncreases ? "increases" : "decreases", registers, present));
  }
  warp.block().warpgroup(warp.index()).join(warp, {step.instruction});
}

/// Behind the architecture's number: there are no such instructions in PTX for later ones.
bool is_specific(std::string_view target) {
  return target.starts_with("sm_") && (target.ends_with("a") || target.ends_with("f"));
}

}  // namespace

Execute decode_setmaxnreg(Decoding& decoding) {
  if (!is_specific(decoding.module().target)) decoding.fail("setmaxnreg needs a .target like sm_90a");
  const std::string_view action = decoding.take_any({"inc", "dec"});
  take_aligned(decoding);
  if (action.empty() || !decoding.take("u32"))
    decoding.fail("setmaxnreg is known with .inc or .dec and .u32");
  const std::int64_t registers = decoding.immediate(0);
  if (registers < 24 || registers > 256 || registers % 8 != 0)
    decoding.fail("the number of registers must be a multiple of 8 from 24 to 256");
  decoding.step.number = static_cast<std::uint64_t>(registers);
  return action == "inc" ? execute<true> : execute<false>;
}

unsigned largest_register_increase(const Program& program) {
  std::uint64_t largest = 0;
  for (const Step& step : program.steps) {
    if (step.execute == execute<true>) largest = std::max(largest, step.number);
  }
  return static_cast<unsigned>(largest);
}

}  // namespace lathe::runtime::ptx
